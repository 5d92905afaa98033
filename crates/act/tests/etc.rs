//! Actions on accounts, groups, alternatives and module settings, on an /etc of the test's own: done, taken back, and cut at
//! every change in between.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use calma_record::step::{Target, Way};
use common::situation::{Situation, every_situation, text, write};
use common::{Stage, isolated};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

/// Makes the tree the /etc of this mount namespace.
fn mount(at: &Path) {
    while Command::new("umount").args(["-l", "/etc"]).stderr(Stdio::null()).status().unwrap().success() {}
    let done = Command::new("mount").arg("--bind").arg(at).arg("/etc").status().unwrap();
    assert!(done.success());
}

fn accounts(at: &Path) {
    let lines = "root:*:19000:0:99999:7:::\neve:$y$j9T$x:19000:0:99999:7:::\nann:!:19000::::::\n";
    write(at.join("shadow"), lines.as_bytes(), 0o640, 1_000_000_000);
    std::os::unix::fs::chown(at.join("shadow"), Some(0), Some(42)).unwrap();
    write(at.join("group"), b"root:x:0:\nsudo:x:27:ann,eve\ndisk:x:6:eve\n", 0o644, 1_000_000_000);
    write(at.join("gshadow"), b"root:*::\nsudo:*:eve:ann,eve\n", 0o640, 1_000_000_000);
    mount(at);
}

const SITUATIONS: &[Situation] = &[
    Situation {
        what: "an account is locked and expired",
        build: accounts,
        action: "lock-account",
        target: |_| Target::Account { name: "eve".into() },
    },
    Situation {
        what: "an account leaves a group that has a shadow",
        build: accounts,
        action: "leave-group",
        target: |_| Target::Member { account: "eve".into(), group: "sudo".into() },
    },
    Situation {
        what: "an account leaves a group without a shadow",
        build: accounts,
        action: "leave-group",
        target: |_| Target::Member { account: "eve".into(), group: "disk".into() },
    },
    Situation {
        what: "a module is blocked",
        build: |at| {
            std::fs::create_dir(at.join("modprobe.d")).unwrap();
            common::situation::set_time(&at.join("modprobe.d"), 700_000_000);
            mount(at);
        },
        action: "block-module",
        target: |_| Target::Module { name: "net_helper".into() },
    },
    Situation {
        what: "an alternative leads back",
        build: |at| {
            std::fs::create_dir(at.join("alternatives")).unwrap();
            symlink("/tmp/.x/editor", at.join("alternatives/editor")).unwrap();
            std::os::unix::fs::lchown(at.join("alternatives/editor"), Some(5), None).unwrap();
            common::situation::set_time(&at.join("alternatives/editor"), 600_000_000);
            common::situation::set_time(&at.join("alternatives"), 700_000_000);
        },
        action: "set-link",
        target: |at| Target::Link {
            path: text(&at.join("alternatives/editor")),
            to: "/bin/sh".into(),
            seen: None,
        },
    },
];

#[test]
fn accounts_and_settings() {
    isolated("accounts_and_settings", || {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        every_situation(SITUATIONS, &folder.path().canonicalize().unwrap().join("tree"));
    });
}

#[test]
fn what_would_do_harm_is_refused() {
    isolated("what_would_do_harm_is_refused", || {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let at = folder.path().canonicalize().unwrap();
        accounts(&at);
        std::fs::create_dir(at.join("modprobe.d")).unwrap();
        write(at.join("modprobe.d/calma-taken.conf"), b"", 0o644, 1_000_000_000);
        let member =
            |account: &str, group: &str| Target::Member { account: account.into(), group: group.into() };
        let module = |name: &str| Target::Module { name: name.into() };
        for (action, target, why) in [
            ("lock-account", Target::Account { name: "root".into() }, "lock yourself out"),
            ("lock-account", Target::Account { name: "nobody-here".into() }, "no line"),
            ("leave-group", member("root", "sudo"), "without any group"),
            ("leave-group", member("bob", "sudo"), "no member"),
            ("leave-group", member("27", "sudo"), "no member"),
            ("block-module", module("ext4"), "does not come up"),
            ("block-module", module("x\ninstall y /tmp/y"), "no name"),
            ("block-module", module("../../x"), "no name"),
            ("block-module", module(""), "no name"),
            ("block-module", module("taken"), "already"),
            (
                "set-link",
                Target::Link { path: "/etc/shadow".into(), to: "/bin/sh".into(), seen: None },
                "no symbolic link",
            ),
        ] {
            let refusal = Stage::new(action, target.clone()).prepare().unwrap_err();
            assert!(refusal.why.contains(why), "{action} {target:?}: {refusal:?}");
        }
        symlink("/bin/sh", at.join("l")).unwrap();
        for to in ["/bin/sh", "/no/such/place"] {
            let target = Target::Link { path: "/etc/l".into(), to: to.into(), seen: None };
            assert!(Stage::new("set-link", target).prepare().is_err(), "{to}");
        }
        // Changed by someone else between looking and doing, and before taking it back.
        let lead = || Target::Link { path: "/etc/l".into(), to: "/bin/true".into(), seen: None };
        let mut stage = Stage::new("set-link", lead());
        stage.prepare().unwrap();
        std::fs::remove_file(at.join("l")).unwrap();
        symlink("/bin/cat", at.join("l")).unwrap();
        assert!(stage.try_apply().is_err());
        assert_eq!(std::fs::read_link(at.join("l")).unwrap(), Path::new("/bin/cat"));
        let mut stage = Stage::new("block-module", module("seen"));
        stage.prepare().unwrap();
        stage.apply();
        stage.holds(Way::Do);
        write(at.join("modprobe.d/calma-seen.conf"), b"mine", 0o644, 1_000_000_000);
        assert!(stage.try_revert().is_err());
        assert_eq!(std::fs::read(at.join("modprobe.d/calma-seen.conf")).unwrap(), b"mine");
    });
}
