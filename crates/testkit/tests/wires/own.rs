//! Namespaces of a test's own, and the judges in them.

use calma_host::{LiveWires, Namespace, Wires};
use std::process::Command;

const INSIDE: &str = "CALMA_TEST_INSIDE";

fn namespace(kind: &str) -> String {
    std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().to_string_lossy().into_owned()
}

/// Runs `work`, this test program's test `name`, in pid, mount and network namespaces of its own with an empty `/run`.
pub(crate) fn inside(name: &str, work: impl FnOnce()) {
    if let Ok(outer) = std::env::var(INSIDE) {
        let outer: Vec<&str> = outer.split(' ').collect();
        for (kind, outer) in ["net", "pid", "mnt"].into_iter().zip(outer) {
            assert_ne!(namespace(kind), outer, "not in a {kind} namespace of its own: nothing was done");
        }
        run("mount -t tmpfs none /run");
        run("ip link set lo up");
        return work();
    }
    if std::env::var_os("CALMA_NO_ROOT").is_some() {
        eprintln!("skipped: needs root (CALMA_NO_ROOT is set)");
        return;
    }
    let outer = ["net", "pid", "mnt"].map(namespace).join(" ");
    let status = Command::new("unshare")
        .args(["-n", "-p", "-f", "--mount-proc", "-m", "--kill-child"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads", "1"])
        .env(INSIDE, outer)
        .status()
        .expect("unshare");
    assert!(status.success(), "{name} failed inside (root is needed)");
}

/// What a command prints; it must end well. Words are parted by single spaces.
pub(crate) fn run(command: &str) -> String {
    let (code, out, err) = attempt(command);
    assert_eq!(code, Some(0), "{command}: {out}{err}");
    out
}

/// A command's exit code, output and errors.
pub(crate) fn attempt(command: &str) -> (Option<i32>, String, String) {
    let mut words = command.split(' ');
    let output = Command::new(words.next().unwrap()).args(words).output().expect(command);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Several commands, one a line.
pub(crate) fn script(commands: &str) {
    for command in commands.lines().map(str::trim).filter(|line| !line.is_empty()) {
        run(command);
    }
}

/// The namespace that `ip netns add` made under this name.
pub(crate) fn named(name: &str) -> Namespace {
    Namespace::At(format!("/run/netns/{name}").into())
}

pub(crate) fn wires() -> LiveWires {
    LiveWires::take()
}

/// Only inside a test's own namespaces.
pub(crate) fn filter(namespace: &Namespace) -> Box<dyn calma_host::wires::Filter> {
    wires().filter(namespace).unwrap()
}
