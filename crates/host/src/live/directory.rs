//! Open directories of a real file system: getdents64(2) and statx(2) relative to a descriptor.

use super::files::{self, Touched};
use crate::{Cause, Directory, FileKind, HostError, Named, Opened, Stat};
use calma_record::{Text, Timestamp};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::io::Errno;
use std::cell::Cell;
use std::sync::Arc;

/// A piece of a listing ends with the buffer in which this many names are reached.
const PIECE: usize = 512;

/// Bytes of a listing that are asked for at once.
const BUFFER: usize = 32 << 10;

/// What a listing needs while it is read.
#[derive(Default)]
struct Room {
    buffer: Vec<u8>,
    listed: Vec<(u64, Text, Option<FileKind>)>,
}

thread_local! {
    // Kept from one directory to the next: taken from the system and given back for each of a hundred thousand, it makes
    // all threads of a walk wait for one another.
    static ROOM: Cell<Room> = Cell::default();
}

/// An open directory.
pub(crate) struct OpenDirectory {
    descriptor: OwnedFd,
    stat: Stat,
    filesystem: u64,
    touched: Arc<Touched>,
}

impl OpenDirectory {
    /// Wraps a descriptor that was opened for reading.
    pub(crate) fn new(descriptor: OwnedFd, touched: Arc<Touched>) -> Result<Self, Errno> {
        let stat = stat_at(&descriptor, b"", AtFlags::EMPTY_PATH)?;
        // f_type has the kernel's word length, signed on some machines; its magic numbers have 32 bits.
        let filesystem =
            rustix::fs::fstatfs(&descriptor).map_or(0, |answer| answer.f_type as u64 & 0xffff_ffff);
        Ok(Self { descriptor, stat, filesystem, touched })
    }

    /// The name of a file in this directory for calls that take paths alone.
    fn path_of(&self, name: &[u8]) -> Vec<u8> {
        crate::join(format!("/proc/self/fd/{}", self.descriptor.as_raw_fd()).as_bytes(), name)
    }
}

/// Everything statx(2) says, or fstatat(2) on kernels before 4.11. Never wakes an automounter or a server.
pub(crate) fn stat_at(directory: impl AsFd, name: &[u8], flags: AtFlags) -> Result<Stat, Errno> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
    let quiet = flags | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    match rustix::fs::statx(directory.as_fd(), name, quiet, wanted) {
        Ok(stat) => {
            let time = |t: rustix::fs::StatxTimestamp| Timestamp::new(t.tv_sec, t.tv_nsec);
            Ok(Stat {
                mode: u32::from(stat.stx_mode),
                uid: stat.stx_uid,
                gid: stat.stx_gid,
                size: stat.stx_size,
                blocks: stat.stx_blocks,
                device: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
                inode: stat.stx_ino,
                links: stat.stx_nlink,
                accessed: time(stat.stx_atime),
                modified: time(stat.stx_mtime),
                changed: time(stat.stx_ctime),
                born: (stat.stx_mask & StatxFlags::BTIME.bits() != 0).then(|| time(stat.stx_btime)),
                attributes: stat.stx_attributes.bits(),
                attributes_known: stat.stx_attributes_mask.bits(),
                mount: (stat.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(stat.stx_mnt_id),
            })
        }
        Err(Errno::NOSYS) => {
            let stat = rustix::fs::statat(directory, name, flags)?;
            let time = |seconds, nanoseconds: u64| {
                Timestamp::new(seconds, u32::try_from(nanoseconds).unwrap_or_default())
            };
            Ok(Stat {
                mode: stat.st_mode,
                uid: stat.st_uid,
                gid: stat.st_gid,
                size: u64::try_from(stat.st_size).unwrap_or(0),
                blocks: u64::try_from(stat.st_blocks).unwrap_or(0),
                device: stat.st_dev,
                inode: stat.st_ino,
                links: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
                accessed: time(stat.st_atime, stat.st_atime_nsec),
                modified: time(stat.st_mtime, stat.st_mtime_nsec),
                changed: time(stat.st_ctime, stat.st_ctime_nsec),
                ..Stat::default()
            })
        }
        Err(error) => Err(error),
    }
}

impl Directory for OpenDirectory {
    fn stat(&self) -> &Stat {
        &self.stat
    }

    fn filesystem(&self) -> u64 {
        self.filesystem
    }

    fn next(&self, without: &[&[u8]], names: &mut Vec<Named>) -> Result<bool, HostError> {
        let Room { mut buffer, mut listed } = ROOM.take();
        buffer.reserve(BUFFER);
        // The kernel keeps the position with the descriptor, so that each piece may have a buffer of its own.
        let mut listing = rustix::fs::RawDir::new(&self.descriptor, buffer.spare_capacity_mut());
        let mut more = false;
        while let Some(entry) = listing.next() {
            let entry = entry.map_err(|e| HostError::errno("getdents64", b"", e))?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                listed.push((entry.ino(), name.into(), files::listed_kind(entry.file_type())));
            }
            if listed.len() >= PIECE && listing.is_buffer_empty() {
                more = true;
                break;
            }
        }
        // By inode: on a disk that is not in memory yet, their order on it.
        listed.sort_unstable_by_key(|entry| entry.0);
        let begin = names.len();
        names.reserve(listed.len());
        for (_, name, kind) in listed.drain(..) {
            let stat = if without.contains(&name.as_bytes()) {
                Err(Cause::NotAsked)
            } else {
                match stat_at(&self.descriptor, name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => Ok(stat),
                    Err(Errno::NOENT) => continue,
                    Err(error) => Err(Cause::Errno(error.raw_os_error())),
                }
            };
            names.push(Named { name, listed: kind, stat });
        }
        names.get_mut(begin..).unwrap_or_default().sort_unstable_by(|a, b| a.name.cmp(&b.name));
        ROOM.set(Room { buffer, listed });
        Ok(more)
    }

    fn enter(&self, name: &[u8]) -> Result<Box<dyn Directory>, HostError> {
        let flags =
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let failed = |e| HostError::errno("open", name, e);
        let descriptor = files::open_untouched(flags, name, &self.touched, |flags| {
            rustix::fs::openat(&self.descriptor, name, flags, Mode::empty())
        })
        .map_err(failed)?;
        Ok(Box::new(Self::new(descriptor, Arc::clone(&self.touched)).map_err(failed)?))
    }

    fn open(&self, name: &[u8]) -> Result<Box<dyn Opened>, HostError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&self.descriptor, name, flags, Mode::empty())
            .map_err(|e| HostError::errno("open", name, e))?;
        files::reopen(&handle, name, &self.touched)
    }

    fn link(&self, name: &[u8]) -> Result<Vec<u8>, HostError> {
        rustix::fs::readlinkat(&self.descriptor, name, Vec::new())
            .map(std::ffi::CString::into_bytes)
            .map_err(|e| HostError::errno("readlink", name, e))
    }

    fn attribute(&self, name: &[u8], attribute: &str) -> Result<Option<Vec<u8>>, HostError> {
        files::attribute(&self.path_of(name), attribute).map_err(|e| HostError::errno("lgetxattr", name, e))
    }
}
