//! Everything that changes a machine: one trait, apart from all that observes.
//!
//! An observer is handed a [`crate::Host`] and a [`crate::ground::Ground`], neither of which can write. Hands are taken in
//! one place alone, `calma_act::Permit`, which exists only after the intent is on the keeper's disk; `clippy.toml` bans
//! [`LiveHands::take`] everywhere else.

mod kernel;
mod letting_go;
mod live;

use crate::HostError;
use crate::ground::{Folder, Group};
use calma_record::Text;
use calma_record::step::{Attachment, FileTime, Manifest, ProcessName, SocketFound};
pub use live::LiveHands;
use rustix::fd::OwnedFd;

/// What a process is told (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// SIGSTOP: it can not be ignored.
    Stop,
    /// SIGCONT.
    Continue,
    /// SIGKILL.
    Kill,
    /// SIGHUP: a service manager reads its configuration again (systemd(1)).
    ReadAgain,
}

/// A file that is being written.
#[derive(Debug)]
pub struct NewFile {
    pub(crate) fd: OwnedFd,
    pub(crate) path: Vec<u8>,
}

/// Something that was mounted: what mount(2) needs to mount it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounting {
    /// Where.
    pub point: Text,
    /// What: a device, a name, or the folder or file that is bound.
    pub source: Text,
    /// Kind of file system; empty for a bound folder or file.
    pub kind: Text,
    /// Options of this mount, comma-separated: `ro`, `nosuid` and so on.
    pub options: Text,
    /// Options of the file system.
    pub data: Text,
}

/// Changes to a machine, each one or a few system calls. None of them follows a symbolic link.
pub trait Hands: Send + Sync {
    /// Sends a signal to the very process that is named, through a descriptor of it (pidfd_send_signal(2)).
    ///
    /// # Errors
    /// `ESRCH` when it has ended, also when its id was given to another one.
    fn tell(&self, who: &ProcessName, what: Tell) -> Result<(), HostError>;

    /// Freezes or thaws a control group (cgroup.freeze of cgroups(7)).
    ///
    /// # Errors
    /// When the group is gone or refuses.
    fn freeze(&self, group: &Group, frozen: bool) -> Result<(), HostError>;

    /// Makes a new, empty file that only root may read; never one that is there.
    ///
    /// # Errors
    /// When the name is taken or the folder refuses.
    fn create(&self, at: &Folder, name: &[u8]) -> Result<NewFile, HostError>;

    /// Opens a file that is there for writing in place.
    ///
    /// # Errors
    /// When it is no regular file or refuses.
    fn open(&self, at: &Folder, name: &[u8]) -> Result<NewFile, HostError>;

    /// Writes all bytes at an offset.
    ///
    /// # Errors
    /// When the disk refuses.
    fn write(&self, file: &NewFile, offset: u64, bytes: &[u8]) -> Result<(), HostError>;

    /// Sets a file's length; what is added is a hole.
    ///
    /// # Errors
    /// When the disk refuses.
    fn resize(&self, file: &NewFile, length: u64) -> Result<(), HostError>;

    /// Gives a file its owner, mode, extended attributes and times. What its file system can not hold is told.
    ///
    /// # Errors
    /// When owner or mode can not be set.
    fn dress(&self, file: &NewFile, as_it_was: &Manifest) -> Result<Vec<String>, HostError>;

    /// Brings a file to the disk (fsync(2)).
    ///
    /// # Errors
    /// When the disk refuses.
    fn flush(&self, file: &NewFile) -> Result<(), HostError>;

    /// Has a file brought to the disk with all others of which this was asked, by [`Hands::settle_files`].
    ///
    /// # Errors
    /// When the disk refuses.
    fn flush_later(&self, file: &NewFile) -> Result<(), HostError>;

    /// Brings those files to the disk.
    ///
    /// # Errors
    /// When a disk refuses.
    fn settle_files(&self) -> Result<(), HostError>;

    /// Makes a symbolic link with its owner, attributes and times.
    ///
    /// # Errors
    /// When the name is taken or the folder refuses.
    fn symlink(&self, at: &Folder, name: &[u8], as_it_was: &Manifest) -> Result<(), HostError>;

    /// Gives a file a new name in the same folder; never one that is taken.
    ///
    /// # Errors
    /// `EEXIST` when it is taken.
    fn rename(&self, at: &Folder, from: &[u8], to: &[u8]) -> Result<(), HostError>;

    /// Exchanges two names of a folder at one instant (renameat2(2), RENAME_EXCHANGE).
    ///
    /// # Errors
    /// `EINVAL` where the file system can not.
    fn exchange(&self, at: &Folder, one: &[u8], other: &[u8]) -> Result<(), HostError>;

    /// Gives a file another name.
    ///
    /// # Errors
    /// When it is taken, or on another file system.
    fn link(&self, at: &Folder, name: &[u8], to: &Folder, new: &[u8]) -> Result<(), HostError>;

    /// Removes a name.
    ///
    /// # Errors
    /// When the folder refuses.
    fn remove(&self, at: &Folder, name: &[u8]) -> Result<(), HostError>;

    /// Sets the attribute flags that a person can set (ioctl_iflags(2)): immutable, append-only and their like.
    ///
    /// # Errors
    /// When the file system refuses.
    fn set_flags(&self, at: &Folder, name: &[u8], flags: u32) -> Result<(), HostError>;

    /// The same for the folder itself.
    ///
    /// # Errors
    /// When the file system refuses.
    fn set_folder_flags(&self, at: &Folder, flags: u32) -> Result<(), HostError>;

    /// Sets a file's or a link's times.
    ///
    /// # Errors
    /// When the file system refuses.
    fn set_times(&self, at: &Folder, name: &[u8], times: (FileTime, FileTime)) -> Result<(), HostError>;

    /// Sets a folder's times.
    ///
    /// # Errors
    /// When the file system refuses.
    fn set_folder_times(&self, at: &Folder, times: (FileTime, FileTime)) -> Result<(), HostError>;

    /// Takes the top mount at a point away, lazily (umount2(2), MNT_DETACH).
    ///
    /// # Errors
    /// When nothing is mounted there.
    fn unmount(&self, point: &[u8]) -> Result<(), HostError>;

    /// Mounts again what was taken away.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn mount(&self, what: &Mounting) -> Result<(), HostError>;

    /// Writes a setting of the kernel below /proc/sys or /sys, in one write.
    ///
    /// # Errors
    /// When there is no such setting, or the kernel refuses the value.
    fn set(&self, path: &[u8], value: &[u8]) -> Result<(), HostError>;

    /// Ends a connection as if the peer had reset it (SOCK_DESTROY of sock_diag(7), Linux 4.5).
    ///
    /// # Errors
    /// `ENOENT` when this very socket is gone, `EOPNOTSUPP` where the kernel can not.
    fn destroy(&self, socket: &SocketFound) -> Result<(), HostError>;

    /// Detaches a BPF program from one place, or removes what keeps it.
    ///
    /// # Errors
    /// `ENOENT` when it is not attached there any more, `EOPNOTSUPP` where only the holder's end detaches it.
    fn detach(&self, program: u32, from: &Attachment) -> Result<(), HostError>;

    /// Brings every folder in which names were changed to the disk.
    ///
    /// # Errors
    /// When a disk refuses.
    fn settle(&self) -> Result<(), HostError>;
}

/// The flags that a person can set and that mean something on any file system: secure deletion, undeletable, synchronous,
/// immutable, append-only, no dump, no access time (linux/fs.h). The others describe how the file system stores the file.
pub const SETTABLE: u32 = 0x01 | 0x02 | 0x08 | 0x10 | 0x20 | 0x40 | 0x80;

/// The flags that keep even root from changing a file or folder: immutable and append-only.
pub const PROTECTING: u32 = 0x10 | 0x20;
