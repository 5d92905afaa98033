//! Actions on files: done, taken back, and cut at every change in between.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use calma_record::step::{Target, Way};
use common::situation::{
    ACCESS, CAPABILITY, Situation, attribute, every_situation, file, flags, line, set_time, text, write,
};
use common::{Stage, dump, isolated};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

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

#[test]
fn on_a_disk() {
    isolated("on_a_disk", || {
        let folder = tempfile::tempdir().unwrap();
        every_situation(SITUATIONS, &folder.path().canonicalize().unwrap().join("tree"));
    });
}

#[test]
fn in_memory() {
    isolated("in_memory", || {
        let status = Command::new("mount").args(["-t", "tmpfs", "none", "/mnt"]).status().unwrap();
        assert!(status.success());
        every_situation(SITUATIONS, Path::new("/mnt/tree"));
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
fn what_comes_to_a_name_while_its_file_is_made_ready_is_left_alone() {
    isolated("what_comes_to_a_name_while_its_file_is_made_ready_is_left_alone", || {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap();
        write(at.join("f"), b"one", 0o644, 1_000_000_000);
        let mut stage = Stage::new("quarantine", file(&at, "f"));
        stage.prepare().unwrap();
        stage.apply();
        (stage.together, stage.planted) = (true, Some((at.join("f"), b"another".as_slice())));
        assert!(stage.try_revert().unwrap_err().0.contains("something else stands"));
        assert_eq!(std::fs::read(at.join("f")).unwrap(), b"another");
        assert_eq!(std::fs::read_dir(&at).unwrap().count(), 1, "nothing of calma's own is left");
        // And once it is gone again.
        std::fs::remove_file(at.join("f")).unwrap();
        stage.revert();
        stage.holds(Way::Undo);
        assert_eq!(std::fs::read(at.join("f")).unwrap(), b"one");
    });
}

#[test]
fn what_an_attempt_noted_that_failed_over_it_does_not_count_later() {
    isolated("what_an_attempt_noted_that_failed_over_it_does_not_count_later", || {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap();
        for name in ["one", "two"] {
            write(at.join(name), b"x", 0o755, 1_000_000_000);
        }
        let before = dump(&at);
        let mut stages = ["one", "two"].map(|name| Stage::new("quarantine", file(&at, name)));
        for stage in &mut stages {
            stage.prepare().unwrap();
            stage.apply();
        }
        // Not in its turn, and its note reaches the file but not the disk.
        stages[0].fails_to_note = true;
        stages[0].try_revert().unwrap_err();
        stages[0].fails_to_note = false;
        for stage in stages.iter_mut().rev() {
            stage.revert();
            stage.holds(Way::Undo);
        }
        assert_eq!(dump(&at), before);
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
        // A run that was cut between the two calls that a mount with options takes.
        stage.apply();
        sh(format!("mount --bind {0}/over {0}/hidden", at.display()));
        stage.revert();
        stage.holds(Way::Undo);
        assert!(std::fs::write(at.join("hidden/x"), b"").is_err(), "read-only again");
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert_eq!(mounts.matches(&format!(" {}/hidden ", at.display())).count(), 1, "{mounts}");
        for point in ["/", "/proc", "/nothing-here"] {
            let mut stage = Stage::new("unmount", Target::Mount { point: point.into() });
            assert!(stage.prepare().is_err(), "{point}");
        }
        sh(format!("umount {}/hidden", at.display()));
    });
}

/// Writes into a file without a pause until it is dropped.
struct Writer(std::process::Child);

impl Writer {
    fn at(path: &Path) -> Self {
        let script = "while :; do printf x >>\"$1\"; done";
        let child = Command::new("sh").args(["-c", script, "sh"]).arg(path).spawn().unwrap();
        Self(child)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn one_that_changes_while_it_is_kept_stays_where_it_is() {
    isolated("one_that_changes_while_it_is_kept_stays_where_it_is", || {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap();
        // Large enough that something is written while it is read.
        write(at.join("f"), &[7; 64 << 20], 0o755, 1_000_000_000);
        let before = std::fs::metadata(at.join("f")).unwrap().len();
        let writer = Writer::at(&at.join("f"));
        while std::fs::metadata(at.join("f")).unwrap().len() == before {}
        let why = Stage::new("quarantine", file(&at, "f")).prepare().unwrap_err();
        assert!(why.why.contains("changed while it was read"), "{}", why.why);
        assert!(why.instead.contains("freeze"), "{}", why.instead);
        drop(writer);
        // Once nobody writes, it goes, with all that was written.
        let bytes = std::fs::read(at.join("f")).unwrap();
        let mut stage = Stage::new("quarantine", file(&at, "f"));
        stage.prepare().unwrap();
        stage.apply();
        assert!(!at.join("f").exists());
        stage.revert();
        stage.holds(Way::Undo);
        assert_eq!(std::fs::read(at.join("f")).unwrap(), bytes);
    });
}

#[test]
fn where_no_attributes_can_be_what_is_lost_is_told_and_stays_kept() {
    isolated("where_no_attributes_can_be_what_is_lost_is_told_and_stays_kept", || {
        let mount =
            |arguments: &[&str]| assert!(Command::new("mount").args(arguments).status().unwrap().success());
        mount(&["-t", "tmpfs", "none", "/mnt"]);
        let at = Path::new("/mnt/tree");
        std::fs::create_dir(at).unwrap();
        write(at.join("f"), b"#!/bin/sh\n", 0o4751, 1_500_000_000);
        attribute(&at.join("f"), "trusted.x", b"y");
        set_time(&at.join("f"), 1_500_000_000);
        let mut stage = Stage::new("quarantine", file(at, "f"));
        stage.prepare().unwrap();
        stage.apply();
        // The disk is another one now, whose file system has no attributes.
        mount(&["-t", "ramfs", "none", "/mnt/tree"]);
        let (done, _) = stage.revert();
        assert!(done.says.contains("does not take: attribute trusted.x"), "{}", done.says);
        let why = stage.fails(Way::Undo);
        assert!(why.contains("not everything about it is as it was"), "{why}");
        let back = calma_host::ground::Ground::below(b"/").unwrap().folder(b"/mnt/tree").unwrap();
        let back = back.manifest(b"f").unwrap();
        assert_eq!((back.mode, back.size, back.modified), (0o4751, 10, (1_500_000_000, 987_654_321)));
        // It is whole in the journal.
        assert!(stage.undo.value().to_string().contains("trusted.x"));
        // A file from there has none to lose.
        let mut stage = Stage::new("quarantine", file(at, "f"));
        stage.prepare().unwrap();
        stage.apply();
        assert!(!at.join("f").exists());
        stage.revert();
        stage.holds(Way::Undo);
    });
}
