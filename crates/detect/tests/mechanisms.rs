//! Generates `docs/mechanisms.md` from the detectors' cards, and fails when it is stale.
//!
//! `CALMA_UPDATE=1 cargo test -p calma-detect --test mechanisms` writes it.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test of this checkout"
)]

use std::fmt::Write as _;
use std::path::Path;

/// The hiding and persistence mechanisms by number, and whether this version promises to look for them.
const MECHANISMS: &[(u8, &str, bool)] = &[
    (1, "ld.so.preload", true),
    (2, "LD_PRELOAD in environments, units, pam_env", true),
    (3, "patched dynamic loader", false),
    (4, "ld.so.conf.d, RPATH hijack", false),
    (5, "LD_AUDIT, DT_AUDIT", false),
    (6, "NSS module", false),
    (7, "gconv module, OpenSSL provider", false),
    (8, "PAM module", true),
    (9, "pam_exec or permit line", true),
    (10, "sshd, libkeyutils replaced", false),
    (11, "fake kernel thread", true),
    (12, "deleted executable", true),
    (13, "memfd or shared-memory execution", true),
    (14, "bind mount over /proc/PID", true),
    (15, "process id hidden from readdir", true),
    (16, "mount-namespace hiding", false),
    (17, "file hidden from getdents", false),
    (18, "io_uring-only implant", false),
    (19, "injected code", false),
    (20, "GOT hook", false),
    (21, "eBPF program", true),
    (22, "XDP, tc, tcx, netkit program", false),
    (23, "cgroup, LSM, sockops BPF", false),
    (24, "ftrace or kprobe hook", false),
    (25, "unlinked kernel module", true),
    (26, "kernel text patch", false),
    (27, "rootkit that filters every live view", false),
    (28, "modules-load.d, modprobe.d install", false),
    (29, "kernel command line", false),
    (30, "core_pattern, modprobe, uevent_helper", false),
    (31, "binfmt_misc", false),
    (32, "packet socket with filter", true),
    (33, "netfilter hook, NFQUEUE", false),
    (34, "hidden port", false),
    (35, "promiscuous interface", false),
    (36, "initramfs", false),
    (37, "boot loader entry", false),
    (38, "EFI partition, shim, MOK", false),
    (39, "unit, drop-in, timer, path, socket", true),
    (40, "systemd generator", true),
    (41, "user unit, linger", false),
    (42, "init.d, rc.local", true),
    (43, "udev RUN or PROGRAM", true),
    (44, "dracut or kernel-install hook", false),
    (45, "sleep or shutdown hook, environment.d, tmpfiles", false),
    (46, "cron, all places", true),
    (47, "at and batch", true),
    (48, "logrotate script", false),
    (49, "NetworkManager, if-up, dhclient hook", false),
    (50, "APT or DPKG hook", true),
    (51, "malicious package", false),
    (52, "git hook, pager, fsmonitor", false),
    (53, "motd script", true),
    (54, "polkit", false),
    (55, "D-Bus service or policy", false),
    (56, "XDG autostart", false),
    (57, "agent command", false),
    (58, "aliases, .forward, procmail", false),
    (59, "user id 0, duplicate, unlocked system account", true),
    (60, "authorized_keys", true),
    (61, "AuthorizedKeysCommand, TrustedUserCAKeys, Include", true),
    (62, "ssh rc, environment=, ForceCommand", false),
    (63, "client ProxyCommand", false),
    (64, "sudoers, sudo plugin, doas", true),
    (65, "shell profile, alias", true),
    (66, "set-user-id and set-group-id files", true),
    (67, "file capability", true),
    (68, "ACL, immutable attribute", false),
    (69, "docker, lxd, disk group; subuid", false),
    (70, ".rhosts, .k5login, keytab", false),
    (71, "cloud-init, guest agent, metadata keys", false),
    (72, "web shell", true),
    (73, "web-server module, auto_prepend_file, .user.ini, .htaccess", true),
    (74, ".pth, sitecustomize, NODE_OPTIONS, PERL5LIB", false),
    (75, "database function, event, trigger", false),
    (76, "CI job", false),
    (77, "container: privileged, socket, host pid, hook, static pod", true),
    (78, "tunnels", false),
    (79, "repository, keyring, CA added", false),
    (80, "hosts, resolver, proxy", false),
    (81, "log suppression", false),
];

fn table() -> String {
    let mut out = String::from(
        "# Hiding and persistence mechanisms\n\n\
         Generated from the detectors' cards (`CALMA_UPDATE=1 cargo test -p calma-detect --test mechanisms`).\n\n\
         Each detector's own tests are in its file, on in-memory hosts: positives in several variants, and a benign near-miss.\n\
         The thirty mechanisms marked *promised* are also planted on disposable servers, in variants its author did not see,\n\
         by `crates/testkit/src/plants`, and looked for end to end in `crates/testkit/tests`.\n\n\
         | # | Mechanism | | Found by | ATT&CK | What it finds |\n|---|---|---|---|---|---|\n",
    );
    for (number, name, promised) in MECHANISMS {
        let detectors: Vec<_> =
            calma_detect::ALL.iter().filter(|detector| detector.card.mechanisms.contains(number)).collect();
        let promised = if *promised { "promised" } else { "" };
        if detectors.is_empty() {
            let _ = writeln!(out, "| {number} | {name} | {promised} | not yet | | |");
        }
        for detector in detectors {
            let card = &detector.card;
            let file = card.name.replace('-', "_");
            let _ = writeln!(
                out,
                "| {number} | {name} | {promised} | [`{}`](../crates/detect/src/detectors/{file}.rs) | {} | {} |",
                card.name,
                card.attack.join(", "),
                card.doc
            );
        }
    }
    out
}

#[test]
fn the_table_of_mechanisms_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mechanisms.md");
    if std::env::var_os("CALMA_UPDATE").is_some() {
        std::fs::write(&file, table()).unwrap();
    }
    let current = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        current == table(),
        "docs/mechanisms.md is stale: CALMA_UPDATE=1 cargo test -p calma-detect --test mechanisms"
    );
}

#[test]
fn every_promised_mechanism_has_a_detector_with_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/detectors");
    for (number, name, _) in MECHANISMS.iter().filter(|(_, _, promised)| *promised) {
        let detectors: Vec<_> =
            calma_detect::ALL.iter().filter(|detector| detector.card.mechanisms.contains(number)).collect();
        assert!(!detectors.is_empty(), "mechanism {number} ({name}) has no detector");
        for detector in detectors {
            let file = folder.join(format!("{}.rs", detector.card.name.replace('-', "_")));
            // A detector that outgrew its file keeps its tests in the folder beside it.
            let beside = std::fs::read_dir(file.with_extension("")).into_iter().flatten();
            let mut files = beside.map(|entry| entry.unwrap().path()).chain([file.clone()]);
            let tested = files.any(|file| std::fs::read_to_string(file).unwrap().contains("#[test]"));
            assert!(tested, "{} has no tests", file.display());
        }
    }
}
