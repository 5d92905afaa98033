//! Tests of the detector, with programs made of the headers alone.

use calma_testkit::{Mem, check};

/// A 64-bit program with an interpreter and one dynamic entry of this tag.
fn program(interpreter: &str, tag: u64, value: &str) -> Vec<u8> {
    let strings = format!("\0{value}\0");
    let interpreter = format!("{interpreter}\0");
    let at = 64 + 3 * 56_u64;
    let text = at + interpreter.len() as u64;
    let dynamic = (text + strings.len() as u64).next_multiple_of(8);
    let entries = [(5, text), (10, strings.len() as u64), (tag, 1), (0, 0)];
    let end = dynamic + 16 * entries.len() as u64;
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0".to_vec();
    for number in [0, 64, 0_u64] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend([0, 0, 0, 0, 64, 0, 56, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
    for (kind, from, size) in
        [(3_u32, at, interpreter.len() as u64), (1, 0, end), (2, dynamic, end - dynamic)]
    {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(5_u32.to_le_bytes());
        for number in [from, from, from, size, size, 1] {
            bytes.extend(number.to_le_bytes());
        }
    }
    bytes.extend(interpreter.bytes());
    bytes.extend(strings.bytes());
    bytes.resize(dynamic as usize, 0);
    for (tag, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

const USUAL: &str = "/lib64/ld-linux-x86-64.so.2";
const RUNPATH: u64 = 29;
const RPATH: u64 = 15;

fn loader(list: &str) -> Vec<u8> {
    let mut bytes = program("/x", 0x6fff_0000, "x");
    bytes.extend(format!("\0/etc/ld.so.cache\0/proc/self/exe\0/etc/suid-debug\0/var/tmp\0{list}\0").bytes());
    bytes
}

fn debian(list: &str) -> Mem {
    Mem::new()
        .file("/var/lib/dpkg/info/all.list", "/.\n/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2\n/usr/bin/su\n/usr/sbin/sshd\n/usr/lib/systemd/systemd\n")
        .symlink("/lib", "usr/lib")
        .symlink("/lib64", "usr/lib64")
        .file("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", loader(list))
        .symlink("/usr/lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
        .directory("/usr/lib/systemd")
        .file("/usr/lib/systemd/systemd", program(USUAL, RUNPATH, "/usr/lib/systemd"))
}

#[test]
fn changed_and_foreign_loaders_are_found() {
    for list in ["/lib/libc.so.cache", "/usr/share/.x/pre1", "/etc/ld.so.cachel_x"] {
        let seen = check(debian(list));
        assert_eq!(seen.alarms("linked-program").len(), 1, "{list}: {:#?}", seen.findings);
    }
    let second =
        debian("/etc/ld.so.preload").file("/usr/lib/ld-linux-x86-64.so.3", loader("/etc/ld.so.preload"));
    assert_eq!(check(second).alarms("linked-program").len(), 1);
}

#[test]
fn programs_that_load_from_odd_places_are_found() {
    for (path, mode, interpreter, tag, value) in [
        ("/usr/bin/su", 0o4755, USUAL, RUNPATH, "/var/tmp/l"),
        ("/usr/bin/su", 0o4755, USUAL, RPATH, "lib"),
        ("/usr/sbin/sshd", 0o755, USUAL, RUNPATH, "/usr/lib:/dev/shm"),
        ("/usr/sbin/sshd", 0o755, USUAL, RPATH, "$ORIGIN/../../home/u/l"),
        ("/usr/sbin/sshd", 0o755, USUAL, RUNPATH, "/var/lib/misc"),
        ("/usr/local/bin/tool", 0o4755, USUAL, RUNPATH, "$ORIGIN/open"),
        ("/usr/sbin/sshd", 0o755, USUAL, 0x6fff_fefc, "/var/lib/misc/a.so"),
        ("/usr/bin/su", 0o4755, "/var/lib/misc/ld.so", 0x6fff_0000, "x"),
    ] {
        let host = debian("/etc/ld.so.preload")
            .directory("/var/lib/misc")
            .file("/var/lib/misc/a.so", "\x7fELF")
            .file("/var/lib/misc/ld.so", "\x7fELF")
            .directory("/usr/local/bin/open")
            .owned("/usr/local/bin/open", 0o777, 0, 0)
            .file(path, program(interpreter, tag, value))
            .owned(path, mode, 0, 0);
        let seen = check(host);
        let found = seen.alarms("linked-program");
        assert_eq!(found.len(), 1, "{path} {value}: {:#?}", seen.findings);
        assert!(format!("{:?}", found[0].subjects).contains(path));
    }
}

#[test]
fn ordinary_programs_are_no_alarm() {
    let host = debian("/etc/ld.so.preload")
        .file("/usr/sbin/sshd", program(USUAL, RUNPATH, "/usr/lib/x86_64-linux-gnu/samba"))
        .file("/usr/local/bin/own", program(USUAL, RUNPATH, "$ORIGIN/../lib"))
        .owned("/usr/local/bin/own", 0o4755, 0, 0)
        .file("/lib/ld-musl-x86_64.so.1", "\x7fELF\x02");
    let seen = check(host);
    assert!(seen.by("linked-program").is_empty(), "{:#?}", seen.findings);
}

#[test]
fn foreign_programs_that_load_from_odd_places_are_found() {
    for (path, tag, value) in [
        ("/usr/sbin/launch0", RUNPATH, "/var/cache/.eb1"),
        ("/usr/local/bin/tool", RPATH, "/usr/share/.x/lib"),
        ("/usr/lib/colord/helper", RUNPATH, "/dev/shm/l"),
        ("/usr/bin/agent", 0x6fff_fefc, "/usr/lib/pf.so"),
        ("/usr/local/sbin/agent", 0x6fff_fefb, "/var/lib/a/pf.so"),
    ] {
        let host = debian("/etc/ld.so.preload")
            .file("/usr/lib/pf.so", "\x7fELF")
            .file("/var/lib/a/pf.so", "\x7fELF")
            .file(path, program(USUAL, tag, value))
            .owned(path, 0o755, 0, 0);
        let seen = check(host);
        let found = seen.alarms("linked-program");
        assert_eq!(found.len(), 1, "{path} {value}: {:#?}", seen.findings);
        assert!(format!("{:?}", found[0].subjects).contains(path));
    }
}

#[test]
fn libraries_of_logins_that_no_package_owns_are_found() {
    const NEEDED: u64 = 1;
    let at = "/usr/lib/x86_64-linux-gnu";
    for (name, file) in [
        ("libkeyutils.so.1", "libkeyutils.so.1.10.2"),
        ("libz.so.1", "libz.so.1"),
        ("libx.so.0", ".x/y"),
        ("libz.so.1", "glibc-hwcaps/x86-64-v3/libz.so.1"),
    ] {
        let real = format!("{at}/{file}");
        let mut host = debian("/etc/ld.so.preload")
            .file("/usr/sbin/sshd", program(USUAL, NEEDED, name))
            .owned("/usr/sbin/sshd", 0o755, 0, 0)
            .file(&real, program(USUAL, NEEDED, "libc.so.6"));
        if name != file && !file.contains("hwcaps") {
            host = host.symlink(format!("{at}/{name}"), file);
        }
        let seen = check(host);
        let found = seen.alarms("linked-program");
        assert_eq!(found.len(), 1, "{real}: {:#?}", seen.findings);
        assert!(format!("{:?}", found[0].subjects).contains(&real));
    }
    // One that was built by hand is worth a word.
    let host = debian("/etc/ld.so.preload")
        .file("/usr/sbin/sshd", program(USUAL, NEEDED, "libssl.so.3"))
        .file("/usr/local/lib/libssl.so.3", program(USUAL, NEEDED, "libc.so.6"));
    assert!(check(host).alarms("linked-program").is_empty());
}
