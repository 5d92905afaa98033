//! Tests on in-memory hosts.

use calma_testkit::{Mem, check};

const ELF: &[u8] = b"\x7fELF\x02\x01\x01 program";
const SHELL: &[u8] = b"\x7fELF\x02\x01\x01 the shell";

/// cap_setuid+ep, as setcap(8) writes it: revision 2, effective; permitted bit 7.
const SETUID: [u8; 20] = [1, 0, 0, 2, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// cap_net_raw+ep.
const NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn server() -> Mem {
    Mem::new()
        .file(
            "/var/lib/dpkg/info/base.list",
            "/bin/dash\n/usr/bin/sudo\n/usr/bin/ping\n/usr/bin/find\n/usr/bin/python3.11\n/usr/bin/passwd\n/usr/bin/su\n/usr/bin/mount\n/usr/bin/umount\n",
        )
        .file("/usr/bin/dash", SHELL)
        .owned("/usr/bin/dash", 0o755, 0, 0)
        .file("/usr/bin/ping", ELF)
        .owned("/usr/bin/ping", 0o755, 0, 0)
        .xattr("/usr/bin/ping", "security.capability", NET_RAW)
        .file("/usr/bin/find", ELF)
        .owned("/usr/bin/find", 0o755, 0, 0)
        .file("/usr/bin/python3.11", ELF)
        .owned("/usr/bin/python3.11", 0o755, 0, 0)
        .set_id("/usr/bin/sudo", ELF)
        .set_id("/usr/bin/passwd", ELF)
        .set_id("/usr/bin/su", ELF)
        .set_id("/usr/bin/mount", ELF)
        .set_id("/usr/bin/umount", ELF)
}

trait SetId {
    fn set_id(self, path: &str, content: &[u8]) -> Self;
    fn program(self, path: &str, content: &[u8]) -> Self;
}

impl SetId for Mem {
    fn set_id(self, path: &str, content: &[u8]) -> Self {
        self.file(path, content).owned(path, 0o4755, 0, 0)
    }

    fn program(self, path: &str, content: &[u8]) -> Self {
        self.file(path, content).owned(path, 0o755, 0, 0)
    }
}

#[test]
fn a_server_as_installed_gives_nothing() {
    let host = server()
        .file("/dev/shm/PostgreSQL.123", "\0\0")
        .file("/tmp/notes.txt", "text")
        .program("/home/me/.local/bin/tool", ELF)
        .program("/root/.cargo/bin/x", ELF)
        .program("/var/lib/jenkins/.cache/tool", ELF)
        .program("/srv/app/.git/hooks/pre-commit", b"#!/bin/sh\n")
        .file("/etc/resolv.conf", "nameserver 192.0.2.1\n")
        .with("/etc/resolv.conf", |meta| meta.immutable = Some(true));
    let seen = check(host);
    let bad: Vec<_> =
        seen.by("special-files").into_iter().filter(|f| f.severity > calma_record::Severity::Info).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn planted_rights_and_programs_are_alarms() {
    for (path, host) in [
        ("/var/tmp/.cache/upd", server().set_id("/var/tmp/.cache/upd", ELF)),
        ("/home/me/x", server().set_id("/home/me/x", ELF)),
        ("/usr/lib/gcc/helper", server().set_id("/usr/lib/gcc/helper", ELF)),
        ("/usr/local/bin/backup", server().set_id("/usr/local/bin/backup", SHELL)),
        ("/opt/agent/run", server().set_id("/opt/agent/run", SHELL)),
        ("/usr/bin/find", server().owned("/usr/bin/find", 0o4755, 0, 0)),
        ("/usr/bin/dash", server().owned("/usr/bin/dash", 0o6755, 0, 0)),
        ("/usr/bin/python3.11", server().xattr("/usr/bin/python3.11", "security.capability", SETUID)),
        (
            "/usr/local/bin/py",
            server().program("/usr/local/bin/py", ELF).xattr(
                "/usr/local/bin/py",
                "security.capability",
                SETUID,
            ),
        ),
        ("/usr/lib/.x/agent", server().program("/usr/lib/.x/agent", ELF)),
        ("/opt/.../run.sh", server().program("/opt/.../run.sh", b"#!/bin/sh\n")),
        ("/tmp/.ICE-unix/job", server().program("/tmp/.ICE-unix/job", b"#!/bin/sh\n")),
        ("/dev/.lock", server().file("/dev/.lock", "settings")),
        ("/etc/ssh/moduli.bin", server().program("/etc/ssh/moduli.bin", ELF)),
        (
            "/etc/cron.d/job",
            server().file("/etc/cron.d/job", "").with("/etc/cron.d/job", |m| m.immutable = Some(true)),
        ),
    ] {
        let seen = check(host);
        let found = seen.alarms("special-files");
        assert_eq!(found.len(), 1, "{path}: {found:#?}");
        assert!(format!("{:?}", found[0].subjects).contains(path), "{path}: {:?}", found[0].subjects);
    }
}

#[test]
fn without_a_package_list_only_the_place_and_the_program_count() {
    let host = Mem::new()
        .set_id("/usr/bin/sudo", ELF)
        .set_id("/usr/libexec/helper", ELF)
        .program("/usr/bin/ping", ELF)
        .xattr("/usr/bin/ping", "security.capability", NET_RAW);
    assert_eq!(check(host).by("special-files").len(), 0);
    let host = Mem::new().set_id("/usr/bin/bash", SHELL).set_id("/dev/shm/x", ELF);
    assert_eq!(check(host).alarms("special-files").len(), 2);
}

#[test]
fn rights_given_long_after_the_installation_are_seen() {
    let later =
        |meta: &mut calma_testkit::Meta| meta.changed = calma_record::Timestamp::new(1_794_000_000, 0);
    let seen = check(server().with("/usr/bin/mount", later));
    let found = seen.alarms("special-files");
    assert_eq!(found.len(), 1, "{found:#?}");
    let everything = ["sudo", "passwd", "su", "mount", "umount"];
    let restored =
        everything.iter().fold(server(), |host, name| host.with(format!("/usr/bin/{name}"), later));
    assert_eq!(check(restored).alarms("special-files").len(), 0);
}

#[test]
fn programs_in_temporary_folders_are_worth_a_look() {
    let seen = check(server().program("/tmp/build/tool", ELF).program("/tmp/run.sh", b"#!/bin/sh\n"));
    let found = seen.by("special-files");
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|finding| finding.severity == calma_record::Severity::Low));
}
