//! The allocator of the built binary: no settings from an environment that an intruder may have written, and little room at once.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::process::{Command, Stdio};

#[test]
fn the_environment_sets_nothing() {
    let output = Command::new(env!("CARGO_BIN_EXE_calma"))
        .arg("--version")
        .envs([
            ("MIMALLOC_VERBOSE", "1"),
            ("MIMALLOC_SHOW_STATS", "1"),
            ("MIMALLOC_DISALLOW_OS_ALLOC", "1"),
            ("MIMALLOC_RESERVE_OS_MEMORY", "8GiB"),
        ])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("calma {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_gibibyte_is_not_taken_at_the_start() {
    // It waits for what is asked of it.
    let mut calma = Command::new(env!("CARGO_BIN_EXE_calma"))
        .arg("act-side")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0];
    std::io::Read::read_exact(calma.stdout.as_mut().unwrap(), &mut first).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", calma.id())).unwrap();
    calma.kill().unwrap();
    calma.wait().unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let kibibytes: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
    assert!((1..512 << 10).contains(&kibibytes), "{kibibytes} KiB of address space");
}
