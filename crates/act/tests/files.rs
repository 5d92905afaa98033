//! Actions on files: done, taken back, and cut at every change in between.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use calma_record::Text;
use calma_record::step::{Target, Way};
use common::{Stage, dump, isolated};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One way to build a tree, and the step on it.
struct Situation {
    what: &'static str,
    build: fn(&Path),
    action: &'static str,
    target: fn(&Path) -> Target,
}

fn text(path: &Path) -> Text {
    Text::from(path.as_os_str().as_bytes())
}

fn file(folder: &Path, name: &str) -> Target {
    Target::File { path: text(&folder.join(name)), seen: None }
}

fn line(folder: &Path, name: &str, line: &str) -> Target {
    Target::Line { path: text(&folder.join(name)), line: line.into(), instead: None, seen: None }
}

fn write(path: PathBuf, bytes: &[u8], mode: u32, time: i64) {
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    set_time(&path, time);
}

fn set_time(path: &Path, seconds: i64) {
    let time = |nanoseconds| rustix::fs::Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times =
        rustix::fs::Timestamps { last_access: time(123_456_789), last_modification: time(987_654_321) };
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn attribute(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
}

fn flags(path: &Path, flags: &str) {
    assert!(Command::new("chattr").arg(flags).arg(path).status().unwrap().success(), "chattr {flags}");
}

/// A capability set as the kernel stores it (VFS_CAP_REVISION_2: cap_net_raw, effective).
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// An access list as the kernel stores it: owner rw, user 1000 r, group r, mask r, others none.
const ACCESS: [u8; 44] = [
    2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xe8, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
    0x10, 0, 4, 0, 255, 255, 255, 255, 0x20, 0, 0, 0, 255, 255, 255, 255,
];

const SITUATIONS: &[Situation] = &[
    Situation {
        what: "a plain program with set-user-id",
        build: |at| write(at.join("f"), &[0x7f; 300_000], 0o4755, 1_000_000_000),
        action: "quarantine",
        target: |at| file(at, "f"),
    },
    Situation {
        what: "an empty file of another owner with times far away",
        build: |at| {
            write(at.join("f"), b"", 0o600, 9_000_000_000);
            std::os::unix::fs::chown(at.join("f"), Some(33), Some(44)).unwrap();
            set_time(&at.join("f"), 9_000_000_000);
        },
        action: "quarantine",
        target: |at| file(at, "f"),
    },
    Situation {
        what: "attributes, an access list and a capability",
        build: |at| {
            write(at.join("f"), b"#!/bin/sh\n", 0o640, 1_500_000_000);
            std::os::unix::fs::chown(at.join("f"), Some(33), Some(33)).unwrap();
            attribute(&at.join("f"), "trusted.x", b"a\0b\xff");
            attribute(&at.join("f"), "system.posix_acl_access", &ACCESS);
            attribute(&at.join("f"), "security.capability", &CAPABILITY);
            set_time(&at.join("f"), 1_500_000_000);
        },
        action: "quarantine",
        target: |at| file(at, "f"),
    },
    Situation {
        what: "an immutable file in an append-only folder",
        build: |at| {
            std::fs::create_dir(at.join("d")).unwrap();
            write(at.join("d/f"), b"stays", 0o644, 1_400_000_000);
            flags(&at.join("d/f"), "+i");
            set_time(&at.join("d"), 1_300_000_000);
            flags(&at.join("d"), "+a");
        },
        action: "quarantine",
        target: |at| file(at, "d/f"),
    },
    Situation {
        what: "a sparse file",
        build: |at| {
            let path = at.join("f");
            let file = std::fs::File::create(&path).unwrap();
            use std::os::unix::fs::FileExt as _;
            file.set_len(5 << 20).unwrap();
            file.write_all_at(&[7; 8192], 1 << 20).unwrap();
            file.write_all_at(b"end", (5 << 20) - 3).unwrap();
            drop(file);
            set_time(&path, 1_200_000_000);
        },
        action: "quarantine",
        target: |at| file(at, "f"),
    },
    Situation {
        what: "a symbolic link to nowhere",
        build: |at| {
            symlink("/no/such\nplace", at.join("f")).unwrap();
            rustix::fs::chownat(
                rustix::fs::CWD,
                at.join("f"),
                Some(rustix::fs::Uid::from_raw(7)),
                None,
                rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
            )
            .unwrap();
            set_time(&at.join("f"), 1_100_000_000);
        },
        action: "quarantine",
        target: |at| file(at, "f"),
    },
    Situation {
        what: "a file with a second name in its folder",
        build: |at| {
            write(at.join("f"), b"two names", 0o644, 1_000_000_000);
            std::fs::hard_link(at.join("f"), at.join("g")).unwrap();
        },
        action: "quarantine",
        target: |at| file(at, "f"),
    },
    Situation {
        what: "a file with two more names elsewhere",
        build: |at| {
            for folder in ["d", "e"] {
                std::fs::create_dir(at.join(folder)).unwrap();
            }
            write(at.join("d/f"), b"three names", 0o600, 1_000_000_000);
            std::fs::hard_link(at.join("d/f"), at.join("d/g")).unwrap();
            std::fs::hard_link(at.join("d/f"), at.join("e/h")).unwrap();
            flags(&at.join("d/f"), "+i");
            for folder in ["d", "e"] {
                set_time(&at.join(folder), 700_000_000);
            }
        },
        action: "quarantine",
        target: |at| file(at, "d/f"),
    },
    Situation {
        what: "a cron file as a whole",
        build: |at| write(at.join("f"), b"* * * * * root /tmp/.x\n", 0o644, 1_000_000_000),
        action: "unhook-file",
        target: |at| file(at, "f"),
    },
    Situation {
        what: "a unit, where the first process is no systemd",
        build: |at| write(at.join("f"), b"[Service]\nExecStart=/tmp/.x\n", 0o644, 1_000_000_000),
        action: "unhook-unit",
        target: |at| file(at, "f"),
    },
    Situation {
        what: "a hostile name",
        build: |at| write(at.join("a\n\u{1b}[2J b"), b"x", 0o644, 1_000_000_000),
        action: "quarantine",
        target: |at| file(at, "a\n\u{1b}[2J b"),
    },
    Situation {
        what: "a cron line",
        build: |at| {
            write(
                at.join("f"),
                b"# mine\n\n0 3 * * * root backup\n* * * * * root /tmp/.x\n",
                0o644,
                1_000_000_000,
            );
            attribute(&at.join("f"), "trusted.label", b"kept");
            set_time(&at.join("f"), 1_000_000_000);
        },
        action: "edit-line",
        target: |at| line(at, "f", "* * * * * root /tmp/.x"),
    },
    Situation {
        what: "the only line of an immutable ld.so.preload of another owner",
        build: |at| {
            write(at.join("f"), b"/usr/lib/libx.so\n", 0o600, 1_000_000_000);
            std::os::unix::fs::chown(at.join("f"), Some(5), Some(6)).unwrap();
            set_time(&at.join("f"), 1_000_000_000);
            flags(&at.join("f"), "+i");
        },
        action: "edit-line",
        target: |at| line(at, "f", "/usr/lib/libx.so"),
    },
    Situation {
        what: "a line of a file with two names",
        build: |at| {
            write(at.join("f"), b"a\r\nevil\r\nb", 0o644, 1_000_000_000);
            std::fs::hard_link(at.join("f"), at.join("g")).unwrap();
        },
        action: "edit-line",
        target: |at| line(at, "f", "evil"),
    },
];

/// A fresh tree below a folder whose own times are old too.
fn built(situation: &Situation, at: &Path) -> (Vec<String>, Stage) {
    if at.exists() {
        for entry in ["d", "d/f", "f"] {
            let _ = Command::new("chattr")
                .args(["-i", "-a"])
                .arg(at.join(entry))
                .stderr(std::process::Stdio::null())
                .status();
        }
        std::fs::remove_dir_all(at).unwrap();
    }
    std::fs::create_dir_all(at).unwrap();
    write(at.join("neighbour"), b"untouched", 0o600, 900_000_000);
    (situation.build)(at);
    set_time(at, 800_000_000);
    let mut stage = Stage::new(situation.action, (situation.target)(at));
    let before = dump(at);
    stage.prepare().unwrap_or_else(|refusal| panic!("{}: {refusal:?}", situation.what));
    assert_eq!(dump(at), before, "{}: preparing changed something", situation.what);
    (before, stage)
}

fn every_situation(at: &Path) {
    let mut crashes = 0;
    for situation in SITUATIONS {
        let what = situation.what;
        let (before, mut stage) = built(situation, at);
        let (_, changes) = stage.apply();
        stage.holds(Way::Do);
        stage.fails(Way::Undo);
        let after = dump(at);
        assert_ne!(after, before, "{what}");
        // Doing it again changes nothing.
        stage.apply();
        assert_eq!(dump(at), after, "{what}: done twice");
        let (_, back) = stage.revert();
        stage.holds(Way::Undo);
        assert_eq!(dump(at), before, "{what}: taken back");
        stage.revert();
        assert_eq!(dump(at), before, "{what}: taken back twice");
        for cut in 0..changes - 1 {
            for finish in [true, false] {
                let (before, mut stage) = built(situation, at);
                stage.crash(Way::Do, cut);
                crashes += 1;
                if finish {
                    stage.apply();
                    stage.holds(Way::Do);
                }
                stage.revert();
                stage.holds(Way::Undo);
                assert_eq!(dump(at), before, "{what}: cut after {cut} changes, finished first: {finish}");
            }
        }
        for cut in 0..back - 1 {
            let (before, mut stage) = built(situation, at);
            stage.apply();
            stage.crash(Way::Undo, cut);
            crashes += 1;
            stage.revert();
            stage.holds(Way::Undo);
            assert_eq!(dump(at), before, "{what}: taking back cut after {cut} changes");
        }
        eprintln!("{what}: {changes} changes there, {back} back");
    }
    eprintln!("{crashes} crashes, nothing half-done");
}

#[test]
fn on_a_disk() {
    isolated("on_a_disk", || {
        let folder = tempfile::tempdir().unwrap();
        every_situation(&folder.path().canonicalize().unwrap().join("tree"));
    });
}

#[test]
fn in_memory() {
    isolated("in_memory", || {
        let status = Command::new("mount").args(["-t", "tmpfs", "none", "/mnt"]).status().unwrap();
        assert!(status.success());
        every_situation(Path::new("/mnt/tree"));
    });
}

#[test]
fn what_was_changed_or_planted_since_is_left_alone() {
    isolated("what_was_changed_or_planted_since_is_left_alone", || {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap();
        // Changed after it was looked at.
        write(at.join("f"), b"one", 0o644, 1_000_000_000);
        let mut stage = Stage::new("quarantine", file(&at, "f"));
        stage.prepare().unwrap();
        write(at.join("f"), b"two", 0o644, 1_000_000_000);
        assert!(stage.try_apply().unwrap_err().0.contains("changed after"));
        assert_eq!(std::fs::read(at.join("f")).unwrap(), b"two");
        // Something else stands at its name when it is to be put back.
        let mut stage = Stage::new("quarantine", file(&at, "f"));
        stage.prepare().unwrap();
        stage.apply();
        write(at.join("f"), b"mine", 0o644, 1_000_000_000);
        assert!(stage.try_revert().unwrap_err().0.contains("something else"));
        assert_eq!(std::fs::read(at.join("f")).unwrap(), b"mine");
        // A link planted on the way: refused when prepared, and when done.
        std::fs::create_dir(at.join("d")).unwrap();
        write(at.join("d/f"), b"x", 0o644, 1_000_000_000);
        let mut stage = Stage::new("quarantine", file(&at, "d/f"));
        stage.prepare().unwrap();
        std::fs::rename(at.join("d"), at.join("e")).unwrap();
        symlink(at.join("e"), at.join("d")).unwrap();
        assert!(stage.try_apply().is_err());
        assert!(at.join("e/f").exists());
        assert!(
            Stage::new("quarantine", file(&at, "d/f")).prepare().unwrap_err().why.contains("symbolic link")
        );
        // A FIFO, a folder, the case itself, nothing at all.
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at.join("p"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        for name in ["p", "e", "nothing"] {
            assert!(Stage::new("quarantine", file(&at, name)).prepare().is_err(), "{name}");
        }
        let case = Target::File { path: "/case/streams/x".into(), seen: None };
        assert!(Stage::new("quarantine", case).prepare().unwrap_err().why.contains("case"));
        // A line that is not there, and a file that was edited by someone else in between.
        write(at.join("c"), b"a\nb\n", 0o644, 1_000_000_000);
        assert!(Stage::new("edit-line", line(&at, "c", "z")).prepare().is_err());
        let mut stage = Stage::new("edit-line", line(&at, "c", "a"));
        stage.prepare().unwrap();
        write(at.join("c"), b"a\nb\nmine\n", 0o644, 1_000_000_000);
        assert!(stage.try_apply().is_err());
        let mut stage = Stage::new("edit-line", line(&at, "c", "a"));
        stage.prepare().unwrap();
        stage.apply();
        assert_eq!(std::fs::read(at.join("c")).unwrap(), b"b\nmine\n");
        write(at.join("c"), b"b\nmore\n", 0o644, 1_000_000_000);
        assert!(stage.try_revert().is_err());
        assert_eq!(std::fs::read(at.join("c")).unwrap(), b"b\nmore\n");
    });
}

#[test]
fn mounts_are_taken_away_and_come_back() {
    isolated("mounts_are_taken_away_and_come_back", || {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap();
        for name in ["over", "hidden"] {
            std::fs::create_dir(at.join(name)).unwrap();
        }
        write(at.join("hidden/seen-again"), b"x", 0o644, 1_000_000_000);
        let sh =
            |script: String| assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        sh(format!(
            "mount --bind {0}/over {0}/hidden && mount -o remount,bind,ro,nosuid {0}/hidden",
            at.display()
        ));
        assert!(!at.join("hidden/seen-again").exists());
        let target = Target::Mount { point: text(&at.join("hidden")) };
        let mut stage = Stage::new("unmount", target);
        stage.prepare().unwrap();
        stage.crash(Way::Do, 0);
        stage.apply();
        stage.holds(Way::Do);
        assert!(at.join("hidden/seen-again").exists());
        stage.apply();
        assert!(at.join("hidden/seen-again").exists(), "taken away only once");
        stage.revert();
        stage.holds(Way::Undo);
        assert!(!at.join("hidden/seen-again").exists());
        assert!(std::fs::write(at.join("hidden/x"), b"").is_err(), "read-only again");
        for point in ["/", "/proc", "/nothing-here"] {
            let mut stage = Stage::new("unmount", Target::Mount { point: point.into() });
            assert!(stage.prepare().is_err(), "{point}");
        }
        sh(format!("umount {}/hidden", at.display()));
    });
}
