//! A close look at what is to be changed: files by name in an open folder, processes by identity, control groups.
//!
//! Nothing here changes anything. No symbolic link is followed on the way to a folder (openat2(2), RESOLVE_NO_SYMLINKS):
//! a plan names files by paths without links, so a link that stands there later was planted.

pub(crate) mod attachments;
mod files;
mod group_programs;
mod groups;
mod memory;
mod processes;
mod sockets;

use crate::HostError;
pub use attachments::{attachments, instructions};
pub use files::{Layout, ReadFile};
pub use group_programs::{GroupProgram, group_programs};
pub use groups::Group;
pub use memory::{Memory, Region, regions};
pub use processes::{ProcessLine, newcomers, process, processes};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
pub use sockets::socket;

/// The tree of files that is acted on; paths in it are absolute.
#[derive(Debug)]
pub struct Ground {
    root: OwnedFd,
}

/// A folder held open, reached without following any link.
#[derive(Debug)]
pub struct Folder {
    pub(crate) fd: OwnedFd,
    path: Vec<u8>,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

impl Ground {
    /// The tree below `root`: `/` for the machine calma runs on.
    ///
    /// # Errors
    /// When it can not be opened.
    pub fn below(root: &[u8]) -> Result<Self, HostError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, root, flags, Mode::empty())
            .map_err(|errno| HostError::errno("open", root, errno))?;
        Ok(Self { root })
    }

    /// A folder by its path.
    ///
    /// # Errors
    /// When it is not there, or a link stands on the way (`ELOOP`).
    pub fn folder(&self, path: &[u8]) -> Result<Folder, HostError> {
        let relative = path.strip_prefix(b"/").unwrap_or(path);
        let relative = if relative.is_empty() { b"." } else { relative };
        let strict = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::BENEATH;
        let opened = match rustix::fs::openat2(&self.root, relative, FOLDER, Mode::empty(), strict) {
            // Kernels before 5.6 have no openat2: one component at a time comes to the same.
            Err(Errno::NOSYS) => self.step_by_step(relative),
            other => other,
        };
        let fd = opened.map_err(|errno| HostError::errno("open", path, errno))?;
        Ok(Folder { fd, path: path.to_vec() })
    }

    fn step_by_step(&self, relative: &[u8]) -> Result<OwnedFd, Errno> {
        let mut at = rustix::fs::openat(&self.root, ".", FOLDER, Mode::empty())?;
        for name in relative.split(|b| *b == b'/').filter(|name| !name.is_empty() && *name != b".") {
            if name == b".." {
                return Err(Errno::LOOP);
            }
            at = rustix::fs::openat(&at, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        }
        Ok(at)
    }

    /// The folder in which a path stands, and the path's last component.
    ///
    /// # Errors
    /// As for [`Ground::folder`], and when the path has no last component.
    pub fn place<'a>(&self, path: &'a [u8]) -> Result<(Folder, &'a [u8]), HostError> {
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        if !path.starts_with(b"/") || name.is_empty() || name == b"." || name == b".." {
            return Err(HostError::errno("open", path, Errno::INVAL));
        }
        Ok((self.folder(crate::parent(path))?, name))
    }
}

impl Folder {
    /// Its path, for messages.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    pub(crate) fn error(&self, call: &'static str, name: &[u8], errno: Errno) -> HostError {
        HostError::errno(call, crate::join(&self.path, name), errno)
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The kernel's boot id, which names this boot for good (random(4)); empty where it can not be read.
pub fn boot() -> calma_record::Text {
    let text = crate::live::files::read_made_by_kernel(b"/proc/sys/kernel/random/boot_id", 64);
    text.map(|content| content.bytes.trim_ascii().into()).unwrap_or_default()
}
