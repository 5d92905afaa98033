//! Control groups that can be frozen (cgroups(7)), of version 2 and of version 1's freezer: who is in one, and whether it
//! is frozen.

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
    /// The group of a process, where it has a freezer and is not the top one: of version 2, else of version 1.
    pub fn of(pid: u32) -> Option<Self> {
        let text = read_made_by_kernel(format!("/proc/{pid}/cgroup").as_bytes(), 1 << 16).ok()?.bytes;
        let lines = || text.split(|b| *b == b'\n');
        let second = lines().find_map(|line| line.strip_prefix(b"0::"));
        let first = lines().find_map(|line| {
            let mut fields = line.splitn(3, |b| *b == b':').skip(1);
            let freezer = fields.next()?.split(|b| *b == b',').any(|one| one == b"freezer");
            fields.next().filter(|_| freezer)
        });
        let group = |path: &[u8], version| {
            if path == b"/" || !path.starts_with(b"/") || path.split(|b| *b == b'/').any(|part| part == b"..")
            {
                return None;
            }
            let folder = crate::join(&mounted(version)?, path.get(1..)?);
            let group = Self { folder: folder.into(), path: path.into() };
            group.frozen().map(|_| group)
        };
        second.and_then(|path| group(path, Version::Two)).or_else(|| group(first?, Version::One))
    }

    /// What is written to freeze or thaw it, and into which file.
    pub(crate) fn order(&self, frozen: bool) -> (&'static [u8], &'static [u8]) {
        match (self.read(b"cgroup.freeze").is_some(), frozen) {
            (true, true) => (b"cgroup.freeze", b"1"),
            (true, false) => (b"cgroup.freeze", b"0"),
            (false, true) => (b"freezer.state", b"FROZEN"),
            (false, false) => (b"freezer.state", b"THAWED"),
        }
    }

    /// Whether every process of it is frozen (cgroup.events, freezer.state); `None` where the kernel does not say (version 2
    /// before 5.2).
    pub fn frozen(&self) -> Option<bool> {
        if let Some(text) = self.read(b"cgroup.events") {
            return text.split(|b| *b == b'\n').find_map(|line| Some(line.strip_prefix(b"frozen ")? == b"1"));
        }
        // FREEZING becomes FROZEN when it is read and all of it stands (freezer-subsystem.rst).
        self.read(b"freezer.state").map(|text| text == b"FROZEN")
    }

    /// Whether it has been asked to freeze (cgroup.freeze, freezer.self_freezing).
    pub fn asked_to_freeze(&self) -> Option<bool> {
        let text = self.read(b"cgroup.freeze").or_else(|| self.read(b"freezer.self_freezing"))?;
        Some(text == b"1")
    }

    /// Whether it is one of version 1.
    pub fn is_old(&self) -> bool {
        self.read(b"cgroup.freeze").is_none() && self.read(b"freezer.state").is_some()
    }

    fn read(&self, file: &[u8]) -> Option<Vec<u8>> {
        let text = read_made_by_kernel(&crate::join(self.folder.as_bytes(), file), 4096).ok()?;
        Some(text.bytes.trim_ascii().to_vec())
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

#[derive(Clone, Copy)]
enum Version {
    One,
    Two,
}

/// Where the hierarchy with the freezer is mounted from its top (proc_pid_mountinfo(5)).
fn mounted(version: Version) -> Option<Vec<u8>> {
    let text = read_made_by_kernel(b"/proc/self/mountinfo", 16 << 20).ok()?.bytes;
    text.split(|b| *b == b'\n').find_map(|line| {
        let dash = line.windows(3).position(|part| part == b" - ")?;
        let before: Vec<&[u8]> = line.get(..dash)?.split(|b| *b == b' ').collect();
        let mut behind = line.get(dash + 3..)?.split(|b| *b == b' ');
        let (kind, options) = (behind.next()?, behind.nth(1).unwrap_or_default());
        let wanted = match version {
            Version::Two => kind == b"cgroup2",
            Version::One => kind == b"cgroup" && options.split(|b| *b == b',').any(|one| one == b"freezer"),
        };
        let whole = before.get(3) == Some(&&b"/"[..]);
        (wanted && whole).then(|| before.get(4).map(|point| point.to_vec()))?
    })
}
