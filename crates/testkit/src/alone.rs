//! Tests that act without a container: pid, mount and network namespaces of their own, with a /run of their own.

use std::process::Command;

const INSIDE: &str = "CALMA_TEST_INSIDE";

/// Runs the test `name` of this test program again in namespaces of its own, once that is seen to be so; `work` runs inside.
/// When it ends, however, the kernel removes every process and mount of it.
pub fn isolated(name: &str, work: impl FnOnce()) {
    let own =
        || ["pid", "mnt", "net"].map(|kind| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap());
    if let Some(outer) = std::env::var_os(INSIDE) {
        let outer = outer.to_string_lossy().into_owned();
        for namespace in own() {
            assert!(
                !outer.contains(&namespace.display().to_string()),
                "not in a namespace of its own: {namespace:?}"
            );
        }
        assert!(std::process::id() < 100, "not in a pid namespace of its own");
        return work();
    }
    if crate::skip_without_root(name) {
        return;
    }
    // Built before the namespaces, in which there is no network.
    let calma = crate::binaries::calma();
    let outer = own().map(|namespace| namespace.display().to_string()).join(" ");
    let status = Command::new("unshare")
        .args(["--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"])
        .args([
            "sh",
            "-c",
            "mount -t tmpfs none /run && mount -t tmpfs none /mnt && ip link set lo up && \"$@\"; exit $?",
            "sh",
        ])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads", "1"])
        .env(INSIDE, outer)
        .env("CALMA_BIN", calma)
        .status()
        .unwrap();
    assert!(status.success(), "{name} failed in its namespaces");
}

/// Runs a shell script here and gives what it printed; fails loudly when it fails.
pub fn sh(script: &str) -> String {
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
