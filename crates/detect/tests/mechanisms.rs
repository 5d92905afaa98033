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

/// The hiding and persistence mechanisms by number; from 101 on what servers have besides.
const MECHANISMS: &[(u8, &str)] = &[
    (1, "ld.so.preload"),
    (2, "LD_PRELOAD in environments, units, pam_env"),
    (3, "patched dynamic loader"),
    (4, "ld.so.conf.d, RPATH hijack"),
    (5, "LD_AUDIT, DT_AUDIT"),
    (6, "NSS module"),
    (7, "gconv module, OpenSSL provider"),
    (8, "PAM module"),
    (9, "pam_exec or permit line"),
    (10, "sshd, libkeyutils replaced"),
    (11, "fake kernel thread"),
    (12, "deleted executable"),
    (13, "memfd or shared-memory execution"),
    (14, "bind mount over /proc/PID"),
    (15, "process id hidden from readdir"),
    (16, "mount-namespace hiding"),
    (17, "file hidden from getdents"),
    (18, "io_uring-only implant"),
    (19, "injected code"),
    (20, "GOT hook"),
    (21, "eBPF program"),
    (22, "XDP, tc, tcx, netkit program"),
    (23, "cgroup, LSM, sockops BPF"),
    (24, "ftrace or kprobe hook"),
    (25, "unlinked kernel module"),
    (26, "kernel text patch"),
    (27, "rootkit that filters every live view"),
    (28, "modules-load.d, modprobe.d install"),
    (29, "kernel command line"),
    (30, "core_pattern, modprobe, uevent_helper"),
    (31, "binfmt_misc"),
    (32, "packet socket with filter"),
    (33, "netfilter hook, NFQUEUE"),
    (34, "hidden port"),
    (35, "promiscuous interface"),
    (36, "initramfs"),
    (37, "boot loader entry"),
    (38, "EFI partition, shim, MOK"),
    (39, "unit, drop-in, timer, path, socket"),
    (40, "systemd generator"),
    (41, "user unit, linger"),
    (42, "init.d, rc.local"),
    (43, "udev RUN or PROGRAM"),
    (44, "dracut or kernel-install hook"),
    (45, "sleep or shutdown hook, environment.d, tmpfiles"),
    (46, "cron, all places"),
    (47, "at and batch"),
    (48, "logrotate script"),
    (49, "NetworkManager, if-up, dhclient hook"),
    (50, "APT or DPKG hook"),
    (51, "malicious package"),
    (52, "git hook, pager, fsmonitor"),
    (53, "motd script"),
    (54, "polkit"),
    (55, "D-Bus service or policy"),
    (56, "XDG autostart"),
    (57, "agent command"),
    (58, "aliases, .forward, procmail"),
    (59, "user id 0, duplicate, unlocked system account"),
    (60, "authorized_keys"),
    (61, "AuthorizedKeysCommand, TrustedUserCAKeys, Include"),
    (62, "ssh rc, environment=, ForceCommand"),
    (63, "client ProxyCommand"),
    (64, "sudoers, sudo plugin, doas"),
    (65, "shell profile, alias"),
    (66, "set-user-id and set-group-id files"),
    (67, "file capability"),
    (68, "ACL, immutable attribute"),
    (69, "docker, lxd, disk group; subuid"),
    (70, ".rhosts, .k5login, keytab"),
    (71, "cloud-init, guest agent, metadata keys"),
    (72, "web shell"),
    (73, "web-server module, auto_prepend_file, .user.ini, .htaccess"),
    (74, ".pth, sitecustomize, NODE_OPTIONS, PERL5LIB"),
    (75, "database function, event, trigger"),
    (76, "CI job"),
    (77, "container: privileged, socket, host pid, hook, static pod"),
    (78, "tunnels"),
    (79, "repository, keyring, CA added"),
    (80, "hosts, resolver, proxy"),
    (81, "log suppression"),
    (101, "hidden directory"),
    (102, "what root runs or reads, writable by everybody"),
    (103, "times that contradict each other"),
    (104, "agent of a cluster's node, static pod"),
    (105, "settings of build runners"),
    (106, "security tool switched off"),
    (107, "backup switched off"),
    (108, "hook of a hosting panel"),
    (109, "code among files that users send"),
    (110, "code that a web application loads by itself"),
    (111, "mail filter"),
    (113, "what ransomware leaves"),
    (114, "credentials, portable services and extensions of systemd"),
    (115, "timetable of an account without a person"),
    (116, "file deleted but open"),
];

/// What can not, or not fully, be seen by a look at the running system or its tree: why, and what sees it.
const ELSEWHERE: &[(u8, &str)] = &[
    (3, "whether the loader's code was changed: `calma verify`; here its embedded paths are read"),
    (10, "whether sshd's own code was changed: `calma verify`; here what it has mapped is judged"),
    (
        17,
        "names that the kernel leaves out: `--root` from another kernel; here link counts and covers are compared",
    ),
    (19, "text that differs from its file: `calma verify`; here anonymous executable memory is judged"),
    (
        20,
        "relocation targets need a process's whole memory and every symbol: `calma analyse` of a memory image",
    ),
    (
        26,
        "a kernel's text can not be trusted through itself: `calma analyse` of a memory image against the signed vmlinux",
    ),
    (27, "what filters every live view is seen by another kernel alone: `--root`, or a witness outside"),
    (
        33,
        "hooks of modules: no kernel lists them to anyone; a gap says so, a witness outside sees what passes",
    ),
    (36, "what is in the image: `calma verify` unpacks it; here the hooks that make it are judged"),
    (38, "what is in the images: `calma verify`; here unknown files and keys are listed"),
    (51, "whether a package is in a signed index: `calma verify`; here its scripts are judged"),
    (75, "functions, events and triggers in tables: a dump read elsewhere; here the files are judged"),
];

fn table() -> String {
    let mut out = String::from(
        "# Hiding and persistence mechanisms\n\n\
         Generated from the detectors' cards (`CALMA_UPDATE=1 cargo test -p calma-detect --test mechanisms`).\n\n\
         Each detector's own tests are in its file, on in-memory hosts: positives in several variants, and a benign near-miss.\n\
         Those with a test are also planted on disposable systems, at least three variants each that the detectors' author did\n\
         not see (22, 23, 30 and 31, which need a kernel of their own, in fewer), and looked for end to end by the built program.\n\n\
         | # | Mechanism | Planted by | Found by | ATT&CK | What it finds |\n|---|---|---|---|---|---|\n",
    );
    let (planted, tested) = (calma_testkit::plants::planted(), calma_testkit::plants::tested());
    for (number, name) in MECHANISMS {
        let detectors: Vec<_> =
            calma_detect::ALL.iter().filter(|detector| detector.card.mechanisms.contains(number)).collect();
        let files = tested.get(number).into_iter().flatten();
        let link = |file: &&str| format!("[`{file}`](../crates/testkit/tests/{file}.rs)");
        let promised = files.map(link).collect::<Vec<_>>().join(", ");
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
        for (_, why) in ELSEWHERE.iter().filter(|(elsewhere, _)| elsewhere == number) {
            let _ = writeln!(out, "| {number} | {name} | {promised} | elsewhere | | {why} |");
        }
    }
    let _ = writeln!(out, "\n{} mechanisms are planted in three variants or more.", planted.len());
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
fn every_mechanism_has_a_detector_with_tests_or_a_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/detectors");
    let planted = calma_testkit::plants::planted();
    assert!(planted.iter().all(|number| MECHANISMS.iter().any(|(known, _)| known == number)), "{planted:?}");
    for (number, name) in MECHANISMS {
        let detectors: Vec<_> =
            calma_detect::ALL.iter().filter(|detector| detector.card.mechanisms.contains(number)).collect();
        let elsewhere = ELSEWHERE.iter().any(|(elsewhere, _)| elsewhere == number);
        assert!(
            !detectors.is_empty() || elsewhere,
            "mechanism {number} ({name}) has no detector and no reason"
        );
        assert!(
            !detectors.is_empty() || !planted.contains(number),
            "{number} ({name}) is planted, nothing finds it"
        );
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
