//! What a place is chosen from, read from this machine.

use crate::folder::Folder;
use rustix::fs::{Access, access};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Where it is mounted.
    pub mounted_at: PathBuf,
    /// Its kind of file system.
    pub kind: String,
    /// Whether it can be taken out of the machine.
    pub removable: bool,
    /// Whether this user may write there.
    pub writable: bool,
    /// Free bytes.
    pub free: u64,
}

/// A folder that is kept in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The folder.
    pub folder: PathBuf,
    /// Whether this user may write there.
    pub writable: bool,
    /// Free bytes.
    pub free: u64,
}

/// What [`super::Place::choose`] decides by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceFacts {
    /// The user's home.
    pub home: Option<PathBuf>,
    /// Today, by the keeper's clock and in its zone.
    pub date: String,
    /// Mounted file systems of real disks.
    pub disks: Vec<Disk>,
    /// Memory-backed folders, the preferred one first.
    pub memory: Vec<Memory>,
    /// Folders that are there already.
    pub taken: Vec<PathBuf>,
}

impl PlaceFacts {
    /// What this machine shows (proc_pid_mountinfo(5), sysfs(5)).
    pub fn gather() -> Self {
        let disks = std::fs::read("/proc/self/mountinfo").map(|text| disks(&text)).unwrap_or_default();
        let memory = ["/dev/shm", "/run/calma"].into_iter().filter_map(memory).collect();
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        let date = jiff::Timestamp::new(crate::now().seconds(), 0)
            .unwrap_or_default()
            .to_zoned(jiff::tz::TimeZone::system())
            .date()
            .to_string();
        Self { home, date, disks, memory, taken: Vec::new() }
    }

    /// `name` in `folder`, or with a number behind it where that is taken.
    pub(super) fn free_name(&self, folder: PathBuf, name: &str) -> PathBuf {
        let free = |path: &PathBuf| !self.taken.contains(path) && path.symlink_metadata().is_err();
        let first = folder.join(name);
        if free(&first) {
            return first;
        }
        (2..1000).map(|n| folder.join(format!("{name}-{n}"))).find(free).unwrap_or(first)
    }
}

fn free(folder: &Path) -> u64 {
    Folder::open(folder).map_or(0, |folder| folder.free())
}

fn writable(folder: &Path) -> bool {
    access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// A memory-backed folder. `/run/calma` is made by whoever needs it, so `/run` is asked.
fn memory(folder: &str) -> Option<Memory> {
    /// TMPFS_MAGIC and RAMFS_MAGIC (linux/magic.h).
    const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];
    let folder = PathBuf::from(folder);
    let there = if folder.is_dir() { folder.clone() } else { folder.parent()?.to_owned() };
    let kind = rustix::fs::statfs(&there).ok()?.f_type;
    let in_memory = IN_MEMORY.iter().any(|magic| u32::try_from(kind).is_ok_and(|kind| kind == *magic));
    let free = free(&there).min(available_memory());
    in_memory.then(|| Memory { folder, writable: writable(&there), free })
}

/// Memory that can be had without swapping, in bytes (proc_meminfo(5), `MemAvailable`); 0 where it is not known.
pub(crate) fn available_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

/// The mounted block devices.
fn disks(mountinfo: &[u8]) -> Vec<Disk> {
    let mut disks = Vec::new();
    for line in mountinfo.split(|b| *b == b'\n') {
        let mut fields = line.split(|b| *b == b' ');
        let (Some(device), Some(root), Some(point), Some(options)) =
            (fields.nth(2), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let Ok(device) = std::str::from_utf8(device) else { continue };
        let block = PathBuf::from(format!("/sys/dev/block/{device}"));
        // A bind mount of a folder is not the disk, and pseudo file systems are no block device.
        if root != b"/" || !block.exists() {
            continue;
        }
        let mounted_at = PathBuf::from(std::ffi::OsString::from_vec(unescape(point)));
        let kind = fields.skip_while(|field| *field != b"-").nth(1).unwrap_or_default();
        let read_only = options.split(|b| *b == b',').any(|option| option == b"ro");
        disks.push(Disk {
            kind: String::from_utf8_lossy(kind).into_owned(),
            removable: removable(&block),
            writable: !read_only && writable(&mounted_at),
            free: free(&mounted_at),
            mounted_at,
        });
    }
    disks
}

/// Whether a block device says it is removable, or hangs on USB: many USB disks say they are not.
fn removable(block: &Path) -> bool {
    let Ok(real) = block.canonicalize() else { return false };
    // A partition's folder stands in its disk's.
    let flag = [Some(real.as_path()), real.parent()]
        .into_iter()
        .flatten()
        .any(|folder| std::fs::read(folder.join("removable")).is_ok_and(|text| text.trim_ascii() == b"1"));
    flag || real.components().any(|part| part.as_os_str().as_bytes().starts_with(b"usb"))
}

/// The octal escapes of a mount point (proc_pid_mountinfo(5)).
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let octal = match behind {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if *first == b'\\' => {
                Some(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'))
            }
            _ => None,
        };
        out.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { behind.get(3..).unwrap_or_default() } else { behind };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_unescaped() {
        assert_eq!(unescape(br"/media/my\040stick\134x\0"), br"/media/my stick\x\0");
    }

    #[test]
    fn this_machine_has_facts() {
        let facts = PlaceFacts::gather();
        assert_eq!(facts.date.len(), 10);
        assert!(available_memory() > 0);
        assert!(disks(b"\n1 2\nx y 0:0 / \xff rw - a b c\n").is_empty());
    }
}
