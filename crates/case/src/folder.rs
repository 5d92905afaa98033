//! A folder held open: every file of a case is reached from here, and no link is followed.

use crate::CaseError;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// An open directory and the path by which it was reached, for messages.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    fd: OwnedFd,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self, CaseError> {
        let fd = fs::open(path, DIRECTORY, Mode::empty()).map_err(fault("can not open the folder", path))?;
        Ok(Self { path: path.to_owned(), fd })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// A folder in this one.
    pub(crate) fn sub(&self, name: &str) -> Result<Self, CaseError> {
        let path = self.path.join(name);
        let fd = fs::openat(&self.fd, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
            .map_err(fault("can not open the folder", &path))?;
        Ok(Self { path, fd })
    }

    /// A folder in this one, made if it is not there.
    pub(crate) fn make_sub(&self, name: &str) -> Result<Self, CaseError> {
        match fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.sub(name),
            Err(error) => Err(fault("can not make the folder", &self.path.join(name))(error)),
        }
    }

    /// A new file to append to; never one that is there.
    pub(crate) fn create_new(&self, name: &str) -> Result<File, CaseError> {
        self.create_as(name, Mode::RUSR | Mode::WUSR)
    }

    /// The same with a mode of its own.
    pub(crate) fn create_as(&self, name: &str, mode: Mode) -> Result<File, CaseError> {
        let flags = OFlags::RDWR
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC;
        fs::openat(&self.fd, name, flags, mode)
            .map(File::from)
            .map_err(fault("can not make the file", &self.path.join(name)))
    }

    /// A file to append to, made if it is not there.
    pub(crate) fn append(&self, name: &str) -> Result<File, CaseError> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)
            .map(File::from)
            .map_err(fault("can not open", &self.path.join(name)))
    }

    /// An ordinary file to read; a FIFO or device in its place is an error, not a hang.
    pub(crate) fn read(&self, name: &str) -> Result<File, CaseError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, name, flags, Mode::empty()).map_err(fault("can not open", &path))?;
        let stat = fs::fstat(&fd).map_err(fault("can not look at", &path))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(fault("not an ordinary file", &path)(Errno::INVAL));
        }
        Ok(File::from(fd))
    }

    /// A whole small file.
    pub(crate) fn read_small(&self, name: &str) -> Result<Vec<u8>, CaseError> {
        let mut bytes = Vec::new();
        let file = self.read(name)?;
        file.take(1 << 20)
            .read_to_end(&mut bytes)
            .map_err(|error| self.fault("can not read", name, error))?;
        Ok(bytes)
    }

    /// Writes a whole small file that is not there yet, down to the disk.
    pub(crate) fn write_new(&self, name: &str, bytes: &[u8]) -> Result<(), CaseError> {
        let mut file = self.create_new(name)?;
        io::Write::write_all(&mut file, bytes)
            .and_then(|()| file.sync_all())
            .map_err(|error| self.fault("can not write", name, error))
    }

    /// The names in the folder, sorted; names that are not UTF-8 come with replacement characters.
    pub(crate) fn names(&self) -> Result<Vec<String>, CaseError> {
        let unreadable = fault("can not list", &self.path);
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.fd).map_err(&unreadable)? {
            let entry = entry.map_err(&unreadable)?;
            match entry.file_name().to_bytes() {
                b"." | b".." => {}
                name => names.push(String::from_utf8_lossy(name).into_owned()),
            }
        }
        names.sort();
        Ok(names)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Moves a file to a name that is not there yet.
    pub(crate) fn rename_new(&self, name: &str, to: &Self, new: &str) -> Result<(), CaseError> {
        rename_new(&self.fd, Path::new(name), &to.fd, Path::new(new))
            .map_err(fault("can not move the file to", &to.path.join(new)))
    }

    /// Moves a file to a name, over one that has it already.
    pub(crate) fn replace(&self, name: &str, new: &str) -> Result<(), CaseError> {
        fs::renameat(&self.fd, name, &self.fd, new)
            .map_err(fault("can not move the file to", &self.path.join(new)))
    }

    pub(crate) fn remove(&self, name: &str) {
        // A file that can not be removed is left over, and listed as such.
        let _ = fs::unlinkat(&self.fd, name, AtFlags::empty());
    }

    /// Removes an empty folder in this one.
    pub(crate) fn remove_folder(&self, name: &str) {
        let _ = fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR);
    }

    /// Makes names in this folder survive a power cut.
    pub(crate) fn sync(&self) -> Result<(), CaseError> {
        match fs::fsync(&self.fd) {
            // Some file systems have no such call for folders.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(error) => Err(fault("can not write to the disk", &self.path)(error)),
        }
    }

    /// Free space for this user, in bytes.
    pub(crate) fn free(&self) -> u64 {
        fs::fstatvfs(&self.fd).map_or(0, |v| v.f_bavail.saturating_mul(v.f_frsize))
    }

    pub(crate) fn fault(&self, doing: &'static str, name: &str, error: io::Error) -> CaseError {
        CaseError::Io { doing, place: self.path.join(name), error }
    }
}

/// rename(2) that never replaces anything.
pub(crate) fn rename_new(
    from: impl rustix::fd::AsFd,
    name: &Path,
    to: impl rustix::fd::AsFd,
    new: &Path,
) -> Result<(), Errno> {
    match fs::renameat_with(&from, name, &to, new, RenameFlags::NOREPLACE) {
        // File systems without the flag, and kernels before 3.15 (rename(2)).
        Err(Errno::INVAL | Errno::NOSYS) => match fs::statat(&to, new, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Err(Errno::EXIST),
            Err(_) => fs::renameat(&from, name, &to, new),
        },
        other => other,
    }
}

/// Makes an error of `place`.
pub(crate) fn fault(doing: &'static str, place: &Path) -> impl Fn(Errno) -> CaseError {
    let place = place.to_owned();
    move |errno| CaseError::Io { doing, place: place.clone(), error: errno.into() }
}
