//! The allocator of the built binaries, this one and the static one: no settings from an environment that an intruder may have written, and little room at once.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::ffi::OsString;
use std::process::{Command, Stdio};

/// The program as it is built for these tests, and as it is given out, where that is built: each has its own flags of the compiler.
fn programs() -> Vec<OsString> {
    [Some(env!("CARGO_BIN_EXE_calma").into()), std::env::var_os("CALMA_BIN")].into_iter().flatten().collect()
}

#[test]
fn the_environment_sets_nothing() {
    programs().iter().for_each(sets_nothing);
}

fn sets_nothing(program: &OsString) {
    let output = Command::new(program)
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
    programs().iter().for_each(takes_little);
}

fn takes_little(program: &OsString) {
    // It waits for what is asked of it.
    let mut calma =
        Command::new(program).arg("act-side").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0];
    std::io::Read::read_exact(calma.stdout.as_mut().unwrap(), &mut first).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", calma.id())).unwrap();
    calma.kill().unwrap();
    calma.wait().unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let kibibytes: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
    assert!((1..512 << 10).contains(&kibibytes), "{kibibytes} KiB of address space");
}
