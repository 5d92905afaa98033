//! The machine calma runs on.

pub(crate) mod bpf;
mod btf;
pub(crate) mod directory;
pub(crate) mod files;
mod identifiers;
pub(crate) mod kernel;
pub(crate) mod netlink;
pub(crate) mod neutral;
mod processes;
mod task_iterator;
mod taskstats;

pub(crate) use netlink::inside;

use crate::{Clock, Content, Directory, Entry, Follow, Host, HostError, Kernel, Meta, Opened, Tree};
use calma_record::{Text, Timestamp};
use directory::OpenDirectory;
use files::Touched;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use std::sync::Arc;

/// The machine calma runs on.
#[derive(Debug, Default)]
pub struct Live {
    kernel: kernel::LiveKernel,
    touched: Arc<Touched>,
}

impl Live {
    /// Opens the door; nothing is read yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Host for Live {
    fn target(&self) -> &'static str {
        "live"
    }

    fn tree(&self) -> &dyn Tree {
        self
    }

    fn kernel(&self) -> Option<&dyn Kernel> {
        Some(&self.kernel)
    }

    fn clock(&self) -> &dyn Clock {
        self
    }

    fn touched(&self) -> (u64, Option<Text>) {
        self.touched.get()
    }
}

impl Clock for Live {
    fn now(&self) -> Timestamp {
        files::timestamp(rustix::time::clock_gettime(rustix::time::ClockId::Realtime))
    }

    fn since_boot(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        u64::try_from(files::timestamp(now).nanoseconds()).unwrap_or(0)
    }
}

/// Peak resident memory of this process, from its own status file (proc(5), `VmHWM`).
pub(crate) fn peak_kib() -> u64 {
    let Ok(status) = files::read_made_by_kernel(b"/proc/self/status", 64 << 10) else { return 0 };
    let text = String::from_utf8_lossy(&status.bytes).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Files the kernel makes up: regular by construction, without access times, and too many to ask twice about.
///
/// The links of a process lead out of /proc again, to any file there is.
fn made_by_kernel(path: &[u8]) -> bool {
    let leads_out = |part: &[u8]| matches!(part, b"exe" | b"cwd" | b"root" | b"fd" | b"map_files");
    path.starts_with(b"/sys/")
        || path.strip_prefix(b"/proc/").is_some_and(|rest| !rest.split(|b| *b == b'/').any(leads_out))
}

impl Tree for Live {
    fn meta(&self, path: &[u8]) -> Result<Meta, HostError> {
        files::meta_at(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| HostError::errno("statx", path, e))
    }

    fn meta_followed(&self, path: &[u8]) -> Result<Meta, HostError> {
        files::meta_at(CWD, path, AtFlags::empty()).map_err(|e| HostError::errno("statx", path, e))
    }

    fn list(&self, path: &[u8]) -> Result<Vec<Entry>, HostError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let directory = files::open_untouched(flags, path, &self.touched, |flags| {
            rustix::fs::openat(CWD, path, flags, Mode::empty())
        })
        .map_err(|e| HostError::errno("open", path, e))?;
        files::entries(directory).map_err(|e| HostError::errno("getdents64", path, e))
    }

    fn survey(&self, path: &[u8], most: usize) -> Result<Vec<(Entry, Option<Meta>)>, HostError> {
        let directory = files::open_for_walk(CWD, path, path, &self.touched)
            .map_err(|e| HostError::errno("open", path, e))?;
        files::survey(&directory, most).map_err(|e| HostError::errno("getdents64", path, e))
    }

    fn directory(&self, path: &[u8]) -> Result<Box<dyn Directory>, HostError> {
        let failed = |e| HostError::errno("open", path, e);
        let descriptor = files::open_for_walk(CWD, path, path, &self.touched).map_err(failed)?;
        Ok(Box::new(OpenDirectory::new(descriptor, Arc::clone(&self.touched)).map_err(failed)?))
    }

    fn beneath(&self, mount: &[u8], directory: &[u8]) -> Result<Box<dyn Directory>, HostError> {
        use rustix::mount::{OpenTreeFlags, open_tree};
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_NO_AUTOMOUNT
            | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
        let copy = open_tree(CWD, mount, flags).map_err(|e| HostError::errno("open_tree", mount, e))?;
        let failed = |e| HostError::errno("open", directory, e);
        let descriptor = files::open_for_walk(&copy, directory, directory, &self.touched).map_err(failed)?;
        Ok(Box::new(OpenDirectory::new(descriptor, Arc::clone(&self.touched)).map_err(failed)?))
    }

    fn open(&self, path: &[u8], follow: Follow) -> Result<Box<dyn Opened>, HostError> {
        let mut flags = OFlags::CLOEXEC;
        if follow == Follow::No {
            flags |= OFlags::NOFOLLOW;
        }
        if made_by_kernel(path) {
            let file =
                rustix::fs::openat(CWD, path, flags | OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())
                    .map_err(|e| HostError::errno("open", path, e))?;
            return files::opened(file, path);
        }
        let handle = rustix::fs::openat(CWD, path, flags | OFlags::PATH, Mode::empty())
            .map_err(|e| HostError::errno("open", path, e))?;
        files::reopen(&handle, path, &self.touched)
    }

    fn link(&self, path: &[u8]) -> Result<Vec<u8>, HostError> {
        rustix::fs::readlinkat(CWD, path, Vec::new())
            .map(std::ffi::CString::into_bytes)
            .map_err(|e| HostError::errno("readlink", path, e))
    }

    fn attribute(&self, path: &[u8], name: &str) -> Result<Option<Vec<u8>>, HostError> {
        files::attribute(path, name).map_err(|e| HostError::errno("lgetxattr", path, e))
    }

    /// For files of /proc and /sys: one open and as few reads as possible, without asking for metadata first.
    fn read(&self, path: &[u8], limit: usize) -> Result<Content, HostError> {
        if made_by_kernel(path) {
            return files::read_made_by_kernel(path, limit);
        }
        files::read_whole(self.open(path, Follow::Links)?, path, limit)
    }
}
