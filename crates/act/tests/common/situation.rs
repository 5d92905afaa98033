//! A step on a tree: done, taken back, and cut at every change in between.

use super::{Stage, dump};
use calma_record::Text;
use calma_record::step::{Target, Way};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One way to build a tree, and the step on it.
pub(crate) struct Situation {
    pub(crate) what: &'static str,
    pub(crate) build: fn(&Path),
    pub(crate) action: &'static str,
    pub(crate) target: fn(&Path) -> Target,
}

pub(crate) fn text(path: &Path) -> Text {
    Text::from(path.as_os_str().as_bytes())
}

pub(crate) fn file(folder: &Path, name: &str) -> Target {
    Target::File { path: text(&folder.join(name)), seen: None }
}

pub(crate) fn line(folder: &Path, name: &str, line: &str) -> Target {
    Target::Line { path: text(&folder.join(name)), line: line.into(), instead: None, seen: None }
}

pub(crate) fn write(path: PathBuf, bytes: &[u8], mode: u32, time: i64) {
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    set_time(&path, time);
}

pub(crate) fn set_time(path: &Path, seconds: i64) {
    let time = |nanoseconds| rustix::fs::Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times =
        rustix::fs::Timestamps { last_access: time(123_456_789), last_modification: time(987_654_321) };
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

pub(crate) fn attribute(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
}

pub(crate) fn flags(path: &Path, flags: &str) {
    assert!(Command::new("chattr").arg(flags).arg(path).status().unwrap().success(), "chattr {flags}");
}

/// A capability set as the kernel stores it (VFS_CAP_REVISION_2: cap_net_raw, effective).
pub(crate) const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// An access list as the kernel stores it: owner rw, user 1000 r, group r, mask r, others none.
pub(crate) const ACCESS: [u8; 44] = [
    2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xe8, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
    0x10, 0, 4, 0, 255, 255, 255, 255, 0x20, 0, 0, 0, 255, 255, 255, 255,
];

/// A fresh tree below a folder whose own times are old too.
pub(crate) fn built(situation: &Situation, at: &Path) -> (Vec<String>, Stage) {
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

pub(crate) fn every_situation(situations: &[Situation], at: &Path) {
    let mut crashes = 0;
    for situation in situations {
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
        let (before, mut stage) = built(situation, at);
        stage.together = true;
        stage.apply();
        let (_, together) = stage.revert();
        stage.holds(Way::Undo);
        assert_eq!(dump(at), before, "{what}: taken back together with others");
        for cut in 0..together - 1 {
            for again in [true, false] {
                let (before, mut stage) = built(situation, at);
                stage.apply();
                stage.together = true;
                stage.crashes(Way::Undo, cut);
                crashes += 1;
                stage.together = again;
                stage.revert();
                stage.holds(Way::Undo);
                assert_eq!(dump(at), before, "{what}: together, cut after {cut} changes, again so: {again}");
            }
        }
        eprintln!("{what}: {changes} changes there, {back} back, {together} together");
    }
    eprintln!("{crashes} crashes, nothing half-done");
}
