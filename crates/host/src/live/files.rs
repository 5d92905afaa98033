//! Opening and reading files without being led astray by what stands at their name.

use crate::{Cause, Content, Entry, FileKind, HostError, Meta, Opened};
use calma_record::{Text, Timestamp};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::Errno;
use std::io::{self, Read};
use std::sync::Mutex;

/// Files whose access time could not be kept: O_NOATIME (open(2)) is refused for files of other owners.
#[derive(Debug, Default)]
pub(crate) struct Touched(Mutex<(u64, Option<Text>)>);

impl Touched {
    pub(crate) fn get(&self) -> (u64, Option<Text>) {
        self.0.lock().map(|state| state.clone()).unwrap_or_default()
    }

    fn add(&self, path: &[u8]) {
        if let Ok(mut state) = self.0.lock() {
            state.0 += 1;
            state.1.get_or_insert_with(|| path.into());
        }
    }
}

pub(crate) fn timestamp(time: rustix::time::Timespec) -> Timestamp {
    Timestamp::new(time.tv_sec, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Metadata by statx(2), or by fstatat(2) on kernels before 4.11.
pub(crate) fn meta_at(directory: impl AsFd, path: &[u8], flags: AtFlags) -> Result<Meta, Errno> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    // Never wakes a network file system or an automount: what is not known locally may stay unknown.
    let quiet = flags | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    match rustix::fs::statx(directory.as_fd(), path, quiet, wanted) {
        Ok(stat) => {
            let time = |t: rustix::fs::StatxTimestamp| Timestamp::new(t.tv_sec, t.tv_nsec);
            let immutable = rustix::fs::StatxAttributes::IMMUTABLE;
            Ok(Meta {
                kind: kind(u32::from(stat.stx_mode)),
                mode: u32::from(stat.stx_mode) & 0o7777,
                uid: stat.stx_uid,
                gid: stat.stx_gid,
                size: stat.stx_size,
                device: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
                inode: stat.stx_ino,
                links: stat.stx_nlink,
                modified: time(stat.stx_mtime),
                changed: time(stat.stx_ctime),
                born: (stat.stx_mask & StatxFlags::BTIME.bits() != 0).then(|| time(stat.stx_btime)),
                immutable: stat
                    .stx_attributes_mask
                    .contains(immutable)
                    .then(|| stat.stx_attributes.contains(immutable)),
            })
        }
        Err(Errno::NOSYS) => {
            let stat = rustix::fs::statat(directory, path, flags)?;
            let nanoseconds = |n: u64| u32::try_from(n).unwrap_or(0);
            Ok(Meta {
                kind: kind(stat.st_mode),
                mode: stat.st_mode & 0o7777,
                uid: stat.st_uid,
                gid: stat.st_gid,
                size: u64::try_from(stat.st_size).unwrap_or(0),
                device: stat.st_dev,
                inode: stat.st_ino,
                links: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
                modified: Timestamp::new(stat.st_mtime, nanoseconds(stat.st_mtime_nsec)),
                changed: Timestamp::new(stat.st_ctime, nanoseconds(stat.st_ctime_nsec)),
                born: None,
                immutable: None,
            })
        }
        Err(error) => Err(error),
    }
}

fn kind(mode: u32) -> FileKind {
    match rustix::fs::FileType::from_raw_mode(mode) {
        rustix::fs::FileType::RegularFile => FileKind::File,
        rustix::fs::FileType::Directory => FileKind::Directory,
        rustix::fs::FileType::Symlink => FileKind::Link,
        _ => FileKind::Other,
    }
}

/// Opens with O_NOATIME, or without it where the kernel refuses, and then counts it.
pub(crate) fn open_untouched(
    flags: OFlags,
    path: &[u8],
    touched: &Touched,
    open: impl Fn(OFlags) -> Result<OwnedFd, Errno>,
) -> Result<OwnedFd, Errno> {
    match open(flags | OFlags::NOATIME) {
        Err(Errno::PERM) => {
            let file = open(flags)?;
            touched.add(path);
            Ok(file)
        }
        other => other,
    }
}

/// Opens for reading what an O_PATH handle stands for, if that is a regular file.
///
/// The handle is asked first, so a FIFO, a device or a socket is never opened, and nothing can be swapped in between.
pub(crate) fn reopen(handle: &OwnedFd, path: &[u8], touched: &Touched) -> Result<Box<dyn Opened>, HostError> {
    let meta = meta_at(handle, b"", AtFlags::EMPTY_PATH).map_err(|e| HostError::errno("statx", path, e))?;
    if meta.kind != FileKind::File {
        return Err(HostError::new("open", path, Cause::NotAFile));
    }
    let again = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = open_untouched(flags, path, touched, |flags| {
        rustix::fs::openat(rustix::fs::CWD, again.as_str(), flags, Mode::empty())
    })
    .map_err(|e| HostError::errno("open", path, e))?;
    Ok(Box::new(OpenFile { file, meta }))
}

/// Wraps a file of /proc or /sys.
pub(crate) fn opened(file: OwnedFd, path: &[u8]) -> Result<Box<dyn Opened>, HostError> {
    let meta = meta_at(&file, b"", AtFlags::EMPTY_PATH).map_err(|e| HostError::errno("statx", path, e))?;
    Ok(Box::new(OpenFile { file, meta }))
}

/// Reads a file of /proc or /sys, whose length is not known before.
pub(crate) fn read_made_by_kernel(path: &[u8], limit: usize) -> Result<Content, HostError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(rustix::fs::CWD, path, flags, Mode::empty())
        .map_err(|e| HostError::errno("open", path, e))?;
    let mut bytes = Vec::new();
    // proc(5) texts are snapshots of at most a page unless a larger buffer is offered; 4 KiB holds nearly all of them.
    let mut size = 4096;
    loop {
        let mut piece = vec![0; size.min(limit + 1 - bytes.len().min(limit))];
        match rustix::io::read(&file, &mut piece) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(piece.get(..n).unwrap_or_default()),
            Err(Errno::INTR) => continue,
            Err(error) => return Err(HostError::errno("read", path, error)),
        }
        if bytes.len() > limit {
            break;
        }
        size = (size * 4).min(1 << 20);
    }
    let cut = bytes.len() > limit;
    bytes.truncate(limit);
    let meta = Meta {
        kind: FileKind::File,
        mode: 0,
        uid: 0,
        gid: 0,
        size: 0,
        device: 0,
        inode: 0,
        links: 1,
        modified: Timestamp::default(),
        changed: Timestamp::default(),
        born: None,
        immutable: None,
    };
    Ok(Content { bytes, cut, meta })
}

/// Reads at most `limit` bytes of an open file.
pub(crate) fn read_whole(file: Box<dyn Opened>, path: &[u8], limit: usize) -> Result<Content, HostError> {
    let meta = file.meta().clone();
    let expected = usize::try_from(meta.size).unwrap_or(usize::MAX).min(limit).min(1 << 20);
    let mut bytes = Vec::with_capacity(expected + 1);
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound).read_to_end(&mut bytes).map_err(|error| {
        HostError::new("read", path, error.raw_os_error().map_or(Cause::Unsupported, Cause::Errno))
    })?;
    let cut = bytes.len() > limit;
    bytes.truncate(limit);
    Ok(Content { bytes, cut, meta })
}

/// The names of an open directory, sorted.
pub(crate) fn entries(directory: OwnedFd) -> Result<Vec<Entry>, Errno> {
    let mut buffer = Vec::with_capacity(64 << 10);
    let mut listing = rustix::fs::RawDir::new(directory, buffer.spare_capacity_mut());
    let mut entries = Vec::new();
    while let Some(entry) = listing.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        entries.push(Entry { name: name.into(), kind: listed_kind(entry.file_type()), inode: entry.ino() });
    }
    entries.sort();
    Ok(entries)
}

/// Opens a directory for a walk below `start`: no link is followed anywhere on the way, and a path longer than the
/// kernel takes at once (PATH_MAX) is gone in steps.
pub(crate) fn open_for_walk(
    start: impl AsFd,
    relative: &[u8],
    path: &[u8],
    touched: &Touched,
) -> Result<OwnedFd, Errno> {
    const AT_ONCE: usize = 4000;
    let step = |start: &dyn AsFd, part: &[u8], flags: OFlags| {
        let part = if part.is_empty() { b"." } else { part };
        let flags = flags | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let strict = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(start.as_fd(), part, flags, Mode::empty(), strict) {
            // Kernels before 5.6: the last component at least is no link.
            Err(Errno::NOSYS) => {
                rustix::fs::openat(start.as_fd(), part, flags | OFlags::NOFOLLOW, Mode::empty())
            }
            other => other,
        }
    };
    let (mut rest, mut held): (&[u8], Option<OwnedFd>) = (relative, None);
    while rest.len() > AT_ONCE {
        let head = rest.get(..AT_ONCE).unwrap_or(rest);
        let at = head.iter().rposition(|b| *b == b'/').ok_or(Errno::NAMETOOLONG)?;
        let (part, behind) = (rest.get(..at).unwrap_or_default(), rest.get(at + 1..).unwrap_or_default());
        let next = match &held {
            Some(directory) => step(directory, part, OFlags::PATH)?,
            None => step(&start, part, OFlags::PATH)?,
        };
        (rest, held) = (behind, Some(next));
    }
    open_untouched(OFlags::RDONLY | OFlags::NONBLOCK, path, touched, |flags| match &held {
        Some(directory) => step(directory, rest, flags),
        None => step(&start, rest, flags),
    })
}

/// At most `most` names of an open directory with the metadata of its regular files, sorted.
pub(crate) fn survey(directory: &OwnedFd, most: usize) -> Result<Vec<(Entry, Option<Meta>)>, Errno> {
    let mut buffer = Vec::with_capacity(32 << 10);
    let mut listing = rustix::fs::RawDir::new(directory, buffer.spare_capacity_mut());
    let mut found = Vec::new();
    while let Some(entry) = listing.next().filter(|_| found.len() < most) {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let mut kind = listed_kind(entry.file_type());
        let mut meta = None;
        if matches!(kind, Some(FileKind::File) | None) {
            meta = meta_at(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok();
            kind = meta.as_ref().map(|meta| meta.kind).or(kind);
            meta = meta.filter(|meta| meta.kind == FileKind::File);
        }
        found.push((Entry { name: name.into(), kind, inode: entry.ino() }, meta));
    }
    found.sort_unstable_by(|a, b| a.0.name.cmp(&b.0.name));
    Ok(found)
}

pub(crate) fn listed_kind(kind: rustix::fs::FileType) -> Option<FileKind> {
    match kind {
        rustix::fs::FileType::RegularFile => Some(FileKind::File),
        rustix::fs::FileType::Directory => Some(FileKind::Directory),
        rustix::fs::FileType::Symlink => Some(FileKind::Link),
        rustix::fs::FileType::Unknown => None,
        _ => Some(FileKind::Other),
    }
}

/// An extended attribute of the name itself; a value is at most 64 KiB (xattr(7)).
pub(crate) fn attribute(path: &[u8], name: &str) -> Result<Option<Vec<u8>>, Errno> {
    let mut value = vec![0; 256];
    loop {
        match rustix::fs::lgetxattr(path, name, value.as_mut_slice()) {
            Ok(length) => {
                value.truncate(length);
                return Ok(Some(value));
            }
            Err(Errno::NODATA) => return Ok(None),
            Err(Errno::RANGE) if value.len() < 64 << 10 => value.resize(64 << 10, 0),
            Err(error) => return Err(error),
        }
    }
}

/// A regular file, open for reading.
struct OpenFile {
    file: OwnedFd,
    meta: Meta,
}

impl Read for OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(&self.file, buffer)?)
    }
}

impl Opened for OpenFile {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}
