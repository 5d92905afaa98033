//! What a plant consists of: single changes to the victim, and how each is made.

use super::elf;
use crate::bed::Bed;
use crate::binaries;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// One thing done to the victim.
#[derive(Debug, Clone)]
pub enum Step {
    /// Writes a file: path, content, mode.
    File(String, Vec<u8>, u32),
    /// Makes a folder: path, mode.
    Folder(String, u32),
    /// Puts the static helper there, with this mode.
    Helper(String, u32),
    /// Copies a file of the victim: from, to, mode.
    Copy(String, String, u32),
    /// Copies a file of the victim and replaces bytes in it by as many others: from, to, find, put. Keeps the mode.
    Doctored(String, String, Vec<u8>, Vec<u8>),
    /// Copies a program that has a search path of its own, and turns that into a library to be audited by: from, to, library.
    Audited(String, String, String),
    /// Makes a symbolic link: path, target.
    Link(String, String),
    /// Adds lines at the end of a file, which it makes if need be.
    Append(String, String),
    /// Adds lines at the start of a file.
    Prepend(String, String),
    /// Replaces a text in a file: path, find, put.
    Swap(String, String, String),
    /// Removes a file.
    Remove(String),
    /// Gives a file to an account: path, uid, gid, mode.
    Own(String, u32, u32, u32),
    /// Sets an extended attribute: path, name, value.
    Attribute(String, &'static str, Vec<u8>),
    /// Marks a file as not to be changed.
    Immutable(String),
    /// Sets the time of the last change: path, seconds, nanoseconds.
    Time(String, i64, i64),
    /// Gives a file the time of the last change of another one: path, other.
    TimeOf(String, String),
    /// Runs a script inside (only in a booted victim).
    Run(String),
    /// Starts a command inside that goes on; its pid counts as expected.
    Live(String),
}

impl Step {
    /// Whether it needs a running victim.
    pub(super) fn live(&self) -> bool {
        matches!(self, Self::Run(_) | Self::Live(_))
    }

    /// Does it; the process that goes on, if there is one.
    pub(super) fn apply(self, bed: &Bed, what: &str) -> Option<u64> {
        match self {
            Self::File(path, bytes, mode) => bed.put(&path, &bytes, mode),
            Self::Folder(path, mode) => {
                fs::create_dir_all(bed.path(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
                set_mode(bed, &path, mode);
            }
            Self::Helper(path, mode) => {
                bed.put(&path, &fs::read(binaries::plant()).expect("the helper is built"), mode);
            }
            Self::Copy(from, to, mode) => bed.put(&to, &bytes_of(bed, &from), mode),
            Self::Doctored(from, to, find, put) => {
                let bytes = elf::replaced(&bytes_of(bed, &from), &find, &put)
                    .unwrap_or_else(|| panic!("{from} does not hold {find:?}"));
                bed.put(&to, &bytes, 0o755);
            }
            Self::Audited(from, to, library) => {
                let bytes = elf::audited(bytes_of(bed, &from), &library)
                    .unwrap_or_else(|| panic!("{from} has no search path as long as {library}"));
                bed.put(&to, &bytes, 0o755);
            }
            Self::Link(path, target) => bed.link(&path, &target),
            Self::Append(path, text) => edit(bed, &path, |old| format!("{old}{text}")),
            Self::Prepend(path, text) => edit(bed, &path, |old| format!("{text}{old}")),
            Self::Swap(path, find, put) => edit(bed, &path, |old| {
                assert!(old.contains(&find), "{path} does not hold {find}");
                old.replace(&find, &put)
            }),
            Self::Remove(path) => {
                fs::remove_file(bed.path(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
            }
            Self::Own(path, uid, gid, mode) => bed.own(&path, uid, gid, mode),
            Self::Attribute(path, name, value) => {
                rustix::fs::setxattr(bed.path(&path), name, &value, rustix::fs::XattrFlags::empty())
                    .unwrap_or_else(|e| panic!("{path}: {e}"));
            }
            Self::Immutable(path) => immutable(bed, &path),
            Self::Time(path, seconds, nanoseconds) => set_time(bed, &path, seconds, nanoseconds),
            Self::TimeOf(path, other) => {
                let stat = rustix::fs::stat(bed.path(&other)).unwrap_or_else(|e| panic!("{other}: {e}"));
                set_time(bed, &path, stat.st_mtime, stat.st_mtime_nsec as i64);
            }
            Self::Run(script) => {
                let output = bed.run(&script);
                assert!(output.ok(), "{what}: {script}: {output}");
            }
            Self::Live(command) => return Some(bed.live(&command)),
        }
        None
    }
}

fn bytes_of(bed: &Bed, path: &str) -> Vec<u8> {
    fs::read(bed.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn set_mode(bed: &Bed, path: &str, mode: u32) {
    fs::set_permissions(bed.path(path), fs::Permissions::from_mode(mode))
        .unwrap_or_else(|e| panic!("{path}: {e}"));
}

/// Changes a text file and keeps its owner and mode.
fn edit(bed: &Bed, path: &str, change: impl FnOnce(&str) -> String) {
    let to = bed.path(path);
    match fs::read(&to) {
        Ok(old) => {
            fs::write(&to, change(&String::from_utf8_lossy(&old))).unwrap_or_else(|e| panic!("{path}: {e}"))
        }
        Err(_) => bed.put(path, change("").as_bytes(), 0o644),
    }
}

/// `FS_IMMUTABLE_FL` (ioctl_iflags(2)). The overlay keeps it as an attribute, so that the folder below can be removed.
fn immutable(bed: &Bed, path: &str) {
    let file = fs::File::open(bed.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let flags = rustix::fs::ioctl_getflags(&file).unwrap_or_else(|e| panic!("{path}: {e}"));
    rustix::fs::ioctl_setflags(&file, flags | rustix::fs::IFlags::IMMUTABLE)
        .unwrap_or_else(|e| panic!("{path}: {e}"));
}

fn set_time(bed: &Bed, path: &str, seconds: i64, nanoseconds: i64) {
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::utimensat(rustix::fs::CWD, bed.path(path), &times, flags)
        .unwrap_or_else(|e| panic!("{path}: {e}"));
}
