//! What a walk needs of a directory: its names with all their metadata, in pieces, and a way down that follows nothing.

use crate::{Cause, FileKind, HostError, Meta, Opened};
use calma_record::{Text, Timestamp};

/// The file may not be changed, renamed or deleted (`STATX_ATTR_IMMUTABLE`, statx(2)).
pub const IMMUTABLE: u64 = 0x10;
/// The file may only grow (`STATX_ATTR_APPEND`).
pub const APPEND_ONLY: u64 = 0x20;
/// Backup programs leave the file out (`STATX_ATTR_NODUMP`).
pub const NO_DUMP: u64 = 0x40;
/// A key is needed to read it (`STATX_ATTR_ENCRYPTED`).
pub const ENCRYPTED: u64 = 0x800;
/// Opening it wakes an automounter (`STATX_ATTR_AUTOMOUNT`).
pub const AUTOMOUNT: u64 = 0x1000;
/// The kernel checks every read against a Merkle tree (`STATX_ATTR_VERITY`).
pub const VERITY: u64 = 0x10_0000;

/// Everything statx(2) says of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Type and permission bits, as `st_mode` (inode(7)).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// 512-byte blocks it takes.
    pub blocks: u64,
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Number of hard links.
    pub links: u32,
    /// Last access.
    pub accessed: Timestamp,
    /// Last change of content.
    pub modified: Timestamp,
    /// Last change of metadata.
    pub changed: Timestamp,
    /// Birth, where the file system keeps it.
    pub born: Option<Timestamp>,
    /// Attributes that are set.
    pub attributes: u64,
    /// Attributes that the file system can tell of.
    pub attributes_known: u64,
    /// The mount it stands on, as mountinfo numbers it; kernels since 5.8 tell.
    pub mount: Option<u64>,
}

impl Stat {
    /// What it is.
    pub fn kind(&self) -> FileKind {
        match self.mode & libc::S_IFMT {
            libc::S_IFREG => FileKind::File,
            libc::S_IFDIR => FileKind::Directory,
            libc::S_IFLNK => FileKind::Link,
            _ => FileKind::Other,
        }
    }

    /// Permission bits with set-id and sticky bits (07777).
    pub fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    /// Whether all of these attributes are set.
    pub fn has(&self, attributes: u64) -> bool {
        self.attributes & attributes == attributes
    }

    /// The smaller description.
    pub fn meta(&self) -> Meta {
        Meta {
            kind: self.kind(),
            mode: self.permissions(),
            uid: self.uid,
            gid: self.gid,
            size: self.size,
            device: self.device,
            inode: self.inode,
            links: self.links,
            modified: self.modified,
            changed: self.changed,
            born: self.born,
            immutable: (self.attributes_known & IMMUTABLE != 0).then(|| self.has(IMMUTABLE)),
        }
    }
}

/// A name of a directory with what stands there.
#[derive(Clone, Debug)]
pub struct Named {
    /// The name, without its directory.
    pub name: Text,
    /// What the listing says it is; `None` where the file system does not say.
    pub listed: Option<FileKind>,
    /// What statx(2) says of it, or why it says nothing.
    pub stat: Result<Stat, Cause>,
}

/// An open directory. Nothing it does follows a link, and nothing depends on how long its path is.
pub trait Directory: Send + Sync {
    /// Its own metadata at the time it was opened.
    fn stat(&self) -> &Stat;

    /// The type of its file system, as statfs(2) numbers it; 0 where that is not known.
    fn filesystem(&self) -> u64;

    /// Adds the next piece of its names, some hundreds to some thousands, sorted; false when there are no more behind
    /// them. Names in `without` are not asked about, since asking alone may wake or block: they come with
    /// [`Cause::NotAsked`]. Names that vanish meanwhile are left out.
    ///
    /// # Errors
    /// When it can not be read on.
    fn next(&self, without: &[&[u8]], names: &mut Vec<Named>) -> Result<bool, HostError>;

    /// Opens a directory in it.
    ///
    /// # Errors
    /// When there is none of that name, or it can not be opened.
    fn enter(&self, name: &[u8]) -> Result<Box<dyn Directory>, HostError>;

    /// Opens a regular file in it, keeping its access time where that is allowed. A FIFO, device or socket is never
    /// opened.
    ///
    /// # Errors
    /// When no regular file of that name can be opened.
    fn open(&self, name: &[u8]) -> Result<Box<dyn Opened>, HostError>;

    /// The target of a link in it, as it is written.
    ///
    /// # Errors
    /// When it is no link or can not be read.
    fn link(&self, name: &[u8]) -> Result<Vec<u8>, HostError>;

    /// An extended attribute of a name in it, or of itself for `.` (xattr(7)).
    ///
    /// # Errors
    /// When it is not there or its file system has no such attributes.
    fn attribute(&self, name: &[u8], attribute: &str) -> Result<Option<Vec<u8>>, HostError>;
}
