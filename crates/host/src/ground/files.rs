//! One file, looked at so closely that it can be made again.

use super::Folder;
use crate::{Cause, HostError};
use calma_record::Text;
use calma_record::step::{FileTime, Manifest};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use std::io::{self, Read};

/// Where a file's data lies, as offset and length.
pub type Layout = Vec<(u64, u64)>;

/// No file has more pieces of data than this kept apart; what lies behind is taken as one.
const MOST_EXTENTS: usize = 4096;

impl Folder {
    /// Whether the name is there.
    pub fn has(&self, name: &[u8]) -> bool {
        rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Everything about a file or symbolic link of this folder but its bytes.
    ///
    /// # Errors
    /// When it is not there, or is something else, or can not be read.
    pub fn manifest(&self, name: &[u8]) -> Result<Manifest, HostError> {
        let error = |call| move |errno| self.error(call, name, errno);
        let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).map_err(error("stat"))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => self.open(name)?.manifest(),
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(&self.fd, name, Vec::new()).map_err(error("readlink"))?;
                // A link's attributes are asked by path through the folder's descriptor, since a link can not be opened.
                let path = self.through(name);
                let attributes = attributes(
                    |list| rustix::fs::llistxattr(path.as_slice(), list),
                    |key, value| rustix::fs::lgetxattr(path.as_slice(), key, value),
                );
                let attributes = attributes.map_err(error("getxattr"))?;
                Ok(Manifest { link: Some(target.to_bytes().into()), attributes, ..plain(&stat) })
            }
            _ => Err(HostError::new("open", crate::join(self.path(), name), Cause::NotAFile)),
        }
    }

    /// Opens a regular file of this folder for reading, without changing its access time where that is allowed.
    ///
    /// # Errors
    /// When it is no regular file, or can not be opened.
    pub fn open(&self, name: &[u8]) -> Result<ReadFile, HostError> {
        let error = |call| move |errno| self.error(call, name, errno);
        let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).map_err(error("stat"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(HostError::new("open", crate::join(self.path(), name), Cause::NotAFile));
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = |flags| rustix::fs::openat(&self.fd, name, flags, Mode::empty());
        let fd = match open(flags | OFlags::NOATIME) {
            Err(Errno::PERM) => open(flags),
            other => other,
        };
        let fd = fd.map_err(error("open"))?;
        let now = rustix::fs::fstat(&fd).map_err(error("stat"))?;
        if (now.st_dev, now.st_ino) != (stat.st_dev, stat.st_ino) {
            return Err(self.error("open", name, Errno::STALE));
        }
        Ok(ReadFile { fd, path: crate::join(self.path(), name) })
    }

    /// When the folder was read and changed last.
    ///
    /// # Errors
    /// When it can not be asked.
    pub fn times(&self) -> Result<(FileTime, FileTime), HostError> {
        let stat = rustix::fs::fstat(&self.fd).map_err(|errno| self.error("stat", b"", errno))?;
        let plain = plain(&stat);
        Ok((plain.accessed, plain.modified))
    }

    /// The folder's own attribute flags, if its file system has such.
    pub fn flags(&self) -> Option<u32> {
        rustix::fs::ioctl_getflags(&self.fd).ok().map(|flags| flags.bits())
    }

    /// A path to a name that goes through the folder's descriptor, so that nothing on the way can be swapped.
    pub(crate) fn through(&self, name: &[u8]) -> Vec<u8> {
        use rustix::fd::AsRawFd as _;
        [format!("/proc/self/fd/{}/", self.fd.as_raw_fd()).as_bytes(), name].concat()
    }
}

/// A regular file, open for reading.
#[derive(Debug)]
pub struct ReadFile {
    pub(crate) fd: OwnedFd,
    path: Vec<u8>,
}

impl ReadFile {
    /// Everything about it but its bytes.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn manifest(&self) -> Result<Manifest, HostError> {
        let error = |call| move |errno| HostError::errno(call, self.path.as_slice(), errno);
        let stat = rustix::fs::fstat(&self.fd).map_err(error("stat"))?;
        let attributes = attributes(
            |list| rustix::fs::flistxattr(&self.fd, list),
            |key, value| rustix::fs::fgetxattr(&self.fd, key, value),
        );
        let mut manifest = plain(&stat);
        manifest.attributes = attributes.map_err(error("getxattr"))?;
        manifest.flags = rustix::fs::ioctl_getflags(&self.fd).ok().map(|flags| flags.bits());
        manifest.extents = extents(&self.fd, manifest.size);
        Ok(manifest)
    }

    /// The bytes of these pieces of data, one after another.
    pub fn data<'a>(&'a self, layout: &'a [(u64, u64)]) -> impl Read + 'a {
        Data { fd: &self.fd, layout, at: 0 }
    }
}

struct Data<'a> {
    fd: &'a OwnedFd,
    layout: &'a [(u64, u64)],
    /// Bytes of the first piece that were read.
    at: u64,
}

impl Read for Data<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(((offset, length), rest)) = self.layout.split_first() {
            if self.at >= *length {
                (self.layout, self.at) = (rest, 0);
                continue;
            }
            let most = usize::try_from(length - self.at).unwrap_or(usize::MAX).min(buffer.len());
            let n = rustix::io::pread(self.fd, buffer.get_mut(..most).unwrap_or_default(), offset + self.at)?;
            self.at += n as u64;
            if n == 0 && most > 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "it became shorter while it was read",
                ));
            }
            return Ok(n);
        }
        Ok(0)
    }
}

/// What stat(2) tells.
fn plain(stat: &rustix::fs::Stat) -> Manifest {
    let nanoseconds = |n: u64| u32::try_from(n).unwrap_or(0);
    Manifest {
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        device: stat.st_dev,
        inode: stat.st_ino,
        links: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
        accessed: (stat.st_atime, nanoseconds(stat.st_atime_nsec)),
        modified: (stat.st_mtime, nanoseconds(stat.st_mtime_nsec)),
        changed: (stat.st_ctime, nanoseconds(stat.st_ctime_nsec)),
        ..Manifest::default()
    }
}

/// All extended attributes; none where the file system has no such thing.
fn attributes(
    list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&[u8], &mut [u8]) -> Result<usize, Errno>,
) -> Result<Vec<(Text, Text)>, Errno> {
    // Most files have none, which a list of one byte tells as well; a longer one does not fit into it.
    match list(&mut [0]) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) | Ok(0) => return Ok(Vec::new()),
        Err(Errno::RANGE) => {}
        other => drop(other?),
    }
    // A list and a value are at most 64 KiB (xattr(7)).
    let mut names = vec![0; 64 << 10];
    let length = list(&mut names)?;
    let mut found = Vec::new();
    let mut value = vec![0; 64 << 10];
    for name in names.get(..length).unwrap_or_default().split(|b| *b == 0).filter(|name| !name.is_empty()) {
        match get(name, &mut value) {
            Ok(n) => found.push((name.into(), value.get(..n).unwrap_or_default().into())),
            Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(errno),
        }
    }
    found.sort();
    Ok(found)
}

/// Where the data of a file of `size` bytes lies. Where the file system can not say, all of it is data.
fn extents(fd: impl AsFd, size: u64) -> Layout {
    let mut found: Layout = Vec::new();
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(&fd, SeekFrom::Data(at)) {
            Ok(start) => start,
            // Only a hole is left.
            Err(Errno::NXIO) => break,
            Err(_) => return vec![(0, size)],
        };
        let end = match rustix::fs::seek(&fd, SeekFrom::Hole(start)) {
            Ok(end) if found.len() < MOST_EXTENTS => end.min(size),
            _ => size,
        };
        if end <= start {
            break;
        }
        found.push((start, end - start));
        at = end;
    }
    found
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test")]
mod tests {
    use crate::ground::Ground;

    #[test]
    fn attributes_are_seen_and_none_is_none() {
        let folder = std::env::temp_dir().join(format!("calma-attributes-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("f"), b"x").unwrap();
        let here = Ground::below(b"/").unwrap().folder(folder.as_os_str().as_encoded_bytes()).unwrap();
        assert!(here.manifest(b"f").unwrap().attributes.is_empty());
        let set =
            rustix::fs::setxattr(folder.join("f"), "user.label", b"kept", rustix::fs::XattrFlags::empty());
        // Not every temporary folder's file system has them.
        if set.is_ok() {
            assert_eq!(here.manifest(b"f").unwrap().attributes, [("user.label".into(), "kept".into())]);
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
