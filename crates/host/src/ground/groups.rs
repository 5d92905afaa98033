//! Control groups of version 2 (cgroups(7)): who is in one, and whether it is frozen.

use crate::live::files::read_made_by_kernel;
use calma_record::Text;
use rustix::fs::{CWD, Mode, OFlags};

/// A control group that can be frozen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its folder, as it is mounted here.
    pub folder: Text,
    /// Its path from the top of the hierarchy, as processes show it.
    pub path: Text,
}

impl Group {
    /// The group of a process, where it has a freezer and is not the top one.
    pub fn of(pid: u32) -> Option<Self> {
        let text = read_made_by_kernel(format!("/proc/{pid}/cgroup").as_bytes(), 1 << 16).ok()?.bytes;
        let path = text.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"0::"))?;
        if path == b"/" || !path.starts_with(b"/") || path.split(|b| *b == b'/').any(|part| part == b"..") {
            return None;
        }
        let group = Self { folder: crate::join(&mounted()?, path.get(1..)?).into(), path: path.into() };
        group.frozen().map(|_| group)
    }

    /// Whether every process of it is frozen (cgroup.events); `None` where the kernel does not say (before 5.2).
    pub fn frozen(&self) -> Option<bool> {
        let text = read_made_by_kernel(&crate::join(self.folder.as_bytes(), b"cgroup.events"), 4096).ok()?;
        text.bytes.split(|b| *b == b'\n').find_map(|line| Some(line.strip_prefix(b"frozen ")? == b"1"))
    }

    /// Whether it has been asked to freeze (cgroup.freeze).
    pub fn asked_to_freeze(&self) -> Option<bool> {
        let text = read_made_by_kernel(&crate::join(self.folder.as_bytes(), b"cgroup.freeze"), 64).ok()?;
        Some(text.bytes.trim_ascii() == b"1")
    }

    /// The processes in it and in the groups below it; `None` when one can not be read.
    pub fn members(&self) -> Option<Vec<u32>> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.as_bytes().to_vec()];
        while let Some(folder) = folders.pop() {
            let text = read_made_by_kernel(&crate::join(&folder, b"cgroup.procs"), 16 << 20).ok()?.bytes;
            for line in text.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
                found.push(std::str::from_utf8(line).ok()?.parse().ok()?);
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let open = rustix::fs::openat(CWD, folder.as_slice(), flags, Mode::empty()).ok()?;
            for entry in rustix::fs::Dir::new(open).ok()? {
                let entry = entry.ok()?;
                let name = entry.file_name().to_bytes();
                if entry.file_type() == rustix::fs::FileType::Directory && name != b"." && name != b".." {
                    folders.push(crate::join(&folder, name));
                }
            }
        }
        Some(found)
    }
}

/// Where the version 2 hierarchy is mounted from its top (proc_pid_mountinfo(5)).
fn mounted() -> Option<Vec<u8>> {
    let text = read_made_by_kernel(b"/proc/self/mountinfo", 16 << 20).ok()?.bytes;
    text.split(|b| *b == b'\n').find_map(|line| {
        let mut halves = line.splitn(2, |b| *b == b'-');
        let before: Vec<&[u8]> = halves.next()?.split(|b| *b == b' ').collect();
        let kind = halves.next()?.trim_ascii_start();
        let whole = before.get(3) == Some(&&b"/"[..]);
        (kind.starts_with(b"cgroup2 ") && whole).then(|| before.get(4).map(|point| point.to_vec()))?
    })
}
