//! Files as a host shows them.

use crate::{Cause, Directory, HostError};
use calma_record::{Text, Timestamp};
use rustix::fd::BorrowedFd;
use std::io::{self, Read};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// Regular file.
    File,
    /// Directory.
    Directory,
    /// Symbolic link.
    Link,
    /// FIFO, socket or device: never opened.
    Other,
}

/// Metadata of one file (statx(2)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits with set-id and sticky bits (07777).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Number of hard links.
    pub links: u32,
    /// Last change of content.
    pub modified: Timestamp,
    /// Last change of metadata.
    pub changed: Timestamp,
    /// Birth, where the file system keeps it.
    pub born: Option<Timestamp>,
    /// Whether the immutable attribute is set; `None` where the file system can not say.
    pub immutable: Option<bool>,
}

/// One name of a directory (getdents64(2)).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name, without its directory.
    pub name: Text,
    /// What the listing says it is; `None` where the file system does not say.
    pub kind: Option<FileKind>,
    /// Inode number as the listing says.
    pub inode: u64,
}

/// Whether the last component of a path may be a symbolic link that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Follow it, within the tree.
    Links,
    /// A link is not a file.
    No,
}

/// A regular file, open for reading.
pub trait Opened: Read + Send {
    /// Its metadata at the time it was opened.
    fn meta(&self) -> &Meta;

    /// Its descriptor, where there is one that can be handed to the confined worker.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// The first bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether the file goes on behind them.
    pub cut: bool,
    /// Metadata at the time it was opened.
    pub meta: Meta,
}

/// Paths are absolute, as on the examined system, and end without a slash. Nothing outside the tree is ever reached.
pub trait Tree: Send + Sync {
    /// Metadata of the name itself, which may be a link.
    ///
    /// # Errors
    /// When the name is not there or can not be asked about.
    fn meta(&self, path: &[u8]) -> Result<Meta, HostError>;

    /// Metadata of what the name leads to: a link is followed, the kernel's own links in /proc/PID too.
    ///
    /// # Errors
    /// When the name leads to nothing or can not be asked about.
    fn meta_followed(&self, path: &[u8]) -> Result<Meta, HostError>;

    /// The names of a directory, sorted, without `.` and `..`.
    ///
    /// # Errors
    /// When it is no directory or can not be read.
    fn list(&self, path: &[u8]) -> Result<Vec<Entry>, HostError>;

    /// At most `most` names of a directory with the metadata of those that are regular files, sorted; no link is
    /// followed, not even on the way. For walks: one look-up a directory instead of one a file.
    ///
    /// # Errors
    /// When it is no directory, or a link stands on the way, or it can not be read.
    fn survey(&self, path: &[u8], most: usize) -> Result<Vec<(Entry, Option<Meta>)>, HostError> {
        if self.meta(path)?.kind != FileKind::Directory {
            return Err(HostError::new("open", path, Cause::NotADirectory));
        }
        let described = |entry: Entry| {
            let file = matches!(entry.kind, Some(FileKind::File) | None);
            let meta = file.then(|| self.meta(&crate::join(path, entry.name.as_bytes())).ok()).flatten();
            (entry, meta)
        };
        Ok(self.list(path)?.into_iter().take(most).map(described).collect())
    }

    /// Opens a directory for a walk; no link is followed, not even on the way, and the path may be of any length.
    ///
    /// # Errors
    /// When it is no directory, or a link stands on the way, or it can not be opened.
    fn directory(&self, path: &[u8]) -> Result<Box<dyn Directory>, HostError>;

    /// Opens `directory`, relative to the mount at `mount`, in a private copy of that mount alone: what other mounts cover
    /// is to be seen there. The copy has no place in the tree and is gone when the handle is closed (open_tree(2)).
    ///
    /// # Errors
    /// When the kernel or the rights do not allow it, or it is not there.
    fn beneath(&self, mount: &[u8], _directory: &[u8]) -> Result<Box<dyn Directory>, HostError> {
        Err(HostError::new("open_tree", mount, Cause::Unsupported))
    }

    /// Opens a regular file, keeping its access time where that is allowed. FIFOs, devices and sockets are refused
    /// without being opened.
    ///
    /// # Errors
    /// When it is not a regular file, not there, or not readable.
    fn open(&self, path: &[u8], follow: Follow) -> Result<Box<dyn Opened>, HostError>;

    /// The target of a symbolic link, as it is written.
    ///
    /// # Errors
    /// When it is no link or can not be read.
    fn link(&self, path: &[u8]) -> Result<Vec<u8>, HostError>;

    /// The value of an extended attribute (xattr(7)); `None` if the file has none of that name.
    ///
    /// # Errors
    /// When the file is not there or its file system has no such attributes.
    fn attribute(&self, path: &[u8], name: &str) -> Result<Option<Vec<u8>>, HostError>;

    /// The first `limit` bytes of a regular file, following a link.
    ///
    /// # Errors
    /// As for [`Tree::open`], and when reading fails.
    fn read(&self, path: &[u8], limit: usize) -> Result<Content, HostError> {
        let file = self.open(path, Follow::Links)?;
        let meta = file.meta().clone();
        let mut bytes = Vec::new();
        let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        file.take(bound).read_to_end(&mut bytes).map_err(|error| read_error(path, &error))?;
        let cut = bytes.len() > limit;
        bytes.truncate(limit);
        Ok(Content { bytes, cut, meta })
    }
}

fn read_error(path: &[u8], error: &io::Error) -> HostError {
    HostError::new("read", path, error.raw_os_error().map_or(Cause::Unsupported, Cause::Errno))
}
