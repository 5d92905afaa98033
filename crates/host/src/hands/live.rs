//! The hands on the machine calma runs on.

use super::letting_go::LettingGo;
use super::{Hands, Mounting, NewFile, SETTABLE, Tell, kernel};
use crate::HostError;
use crate::ground::{Folder, Group, process};
use calma_record::step::{Attachment, FileTime, Manifest, ProcessName, SocketFound};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Gid, IFlags, Mode, OFlags, RenameFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::process::{Pid, PidfdFlags, Signal};
use std::ffi::CString;
use std::sync::Mutex;

/// The hands on the machine calma runs on.
#[derive(Debug)]
pub struct LiveHands {
    /// Folders in which names were changed and that are not on the disk yet.
    unsettled: Mutex<Vec<((u64, u64), OwnedFd)>>,
    /// File systems with files that are not on the disk yet, by a descriptor each.
    unflushed: Mutex<Vec<(u64, OwnedFd)>>,
    /// Files that lost their name; these hands are not let go before those are.
    nameless: Mutex<LettingGo>,
}

impl LiveHands {
    /// Takes hold. Only `calma_act::Permit` may.
    pub fn take() -> Self {
        Self { unsettled: Mutex::default(), unflushed: Mutex::default(), nameless: Mutex::default() }
    }

    /// Remembers that names in a folder were changed.
    fn touched(&self, at: &Folder) {
        let (Ok(stat), Ok(mut folders)) = (rustix::fs::fstat(&at.fd), self.unsettled.lock()) else { return };
        let id = (stat.st_dev, stat.st_ino);
        if !folders.iter().any(|(known, _)| *known == id)
            && let Ok(copy) = rustix::io::fcntl_dupfd_cloexec(&at.fd, 3)
        {
            folders.push((id, copy));
        }
    }

    fn at<T>(
        &self,
        call: &'static str,
        at: &Folder,
        name: &[u8],
        done: Result<T, Errno>,
    ) -> Result<T, HostError> {
        match done {
            Ok(value) => {
                self.touched(at);
                Ok(value)
            }
            Err(errno) => Err(at.error(call, name, errno)),
        }
    }
}

impl Hands for LiveHands {
    fn tell(&self, who: &ProcessName, what: Tell) -> Result<(), HostError> {
        let error = |call| move |errno| HostError::errno(call, format!("process {}", who.pid), errno);
        let signal = match what {
            Tell::Stop => Signal::STOP,
            Tell::Continue => Signal::CONT,
            Tell::Kill => Signal::KILL,
            Tell::ReadAgain => Signal::HUP,
        };
        let pid = i32::try_from(who.pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or(Errno::SRCH).map_err(error("pidfd_open"))?;
        // The descriptor first, the identity after it: from then on the id can not be another's unnoticed.
        let held = rustix::process::pidfd_open(pid, PidfdFlags::empty());
        if process(who.pid).is_none_or(|line| line.started != who.started) {
            return Err(error("pidfd_open")(Errno::SRCH));
        }
        match held {
            Ok(held) => rustix::process::pidfd_send_signal(held, signal).map_err(error("pidfd_send_signal")),
            // Kernels before 5.3.
            Err(Errno::NOSYS) => rustix::process::kill_process(pid, signal).map_err(error("kill")),
            Err(errno) => Err(error("pidfd_open")(errno)),
        }
    }

    fn freeze(&self, group: &Group, frozen: bool) -> Result<(), HostError> {
        let (file, word) = group.order(frozen);
        kernel::set(&crate::join(group.folder.as_bytes(), file), word)
    }

    fn create(&self, at: &Folder, name: &[u8]) -> Result<NewFile, HostError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(&at.fd, name, flags, Mode::RUSR | Mode::WUSR);
        let fd = self.at("create", at, name, made)?;
        Ok(NewFile { fd, path: crate::join(at.path(), name) })
    }

    fn open(&self, at: &Folder, name: &[u8]) -> Result<NewFile, HostError> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&at.fd, name, flags, Mode::empty())
            .map_err(|errno| at.error("open", name, errno))?;
        Ok(NewFile { fd, path: crate::join(at.path(), name) })
    }

    fn write(&self, file: &NewFile, mut offset: u64, mut bytes: &[u8]) -> Result<(), HostError> {
        while !bytes.is_empty() {
            match rustix::io::pwrite(&file.fd, bytes, offset) {
                Ok(n) => {
                    bytes = bytes.get(n..).unwrap_or_default();
                    offset += n as u64;
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(HostError::errno("write", file.path.as_slice(), errno)),
            }
        }
        Ok(())
    }

    fn resize(&self, file: &NewFile, length: u64) -> Result<(), HostError> {
        rustix::fs::ftruncate(&file.fd, length)
            .map_err(|errno| HostError::errno("ftruncate", file.path.as_slice(), errno))
    }

    fn dress(&self, file: &NewFile, as_it_was: &Manifest) -> Result<Vec<String>, HostError> {
        let error = |call| move |errno| HostError::errno(call, file.path.as_slice(), errno);
        let (owner, group) = (Uid::from_raw(as_it_was.uid), Gid::from_raw(as_it_was.gid));
        rustix::fs::fchown(&file.fd, Some(owner), Some(group)).map_err(error("fchown"))?;
        // After the owner, since a change of owner clears set-id bits and capabilities (chown(2)).
        rustix::fs::fchmod(&file.fd, Mode::from_raw_mode(as_it_was.mode)).map_err(error("fchmod"))?;
        let mut lost = Vec::new();
        for (name, value) in &as_it_was.attributes {
            let set = rustix::fs::fsetxattr(&file.fd, name.as_bytes(), value.as_bytes(), XattrFlags::empty());
            if let Err(errno) = set {
                lost.push(format!("attribute {name}: {}", error("fsetxattr")(errno).why()));
            }
        }
        let times = timestamps((as_it_was.accessed, as_it_was.modified));
        rustix::fs::futimens(&file.fd, &times).map_err(error("futimens"))?;
        Ok(lost)
    }

    fn flush(&self, file: &NewFile) -> Result<(), HostError> {
        rustix::fs::fsync(&file.fd).map_err(|errno| HostError::errno("fsync", file.path.as_slice(), errno))
    }

    fn flush_later(&self, file: &NewFile) -> Result<(), HostError> {
        let error = |errno| HostError::errno("fsync", file.path.as_slice(), errno);
        if !syncfs_tells_errors() {
            return self.flush(file);
        }
        let device = rustix::fs::fstat(&file.fd).map_err(error)?.st_dev;
        let mut systems = self.unflushed.lock().map_err(|_| error(Errno::IO))?;
        if !systems.iter().any(|(known, _)| *known == device) {
            systems.push((device, rustix::io::fcntl_dupfd_cloexec(&file.fd, 3).map_err(error)?));
        }
        Ok(())
    }

    fn settle_files(&self) -> Result<(), HostError> {
        let error = |errno| HostError::errno("syncfs", "a file system", errno);
        let mut systems = self.unflushed.lock().map_err(|_| error(Errno::IO))?;
        // Whoever is told of an error does nothing that rests on it, and is not told of it twice.
        std::mem::take(&mut *systems).iter().try_for_each(|(_, one)| rustix::fs::syncfs(one)).map_err(error)
    }

    fn symlink(&self, at: &Folder, name: &[u8], as_it_was: &Manifest) -> Result<(), HostError> {
        let target = as_it_was.link.clone().unwrap_or_default();
        self.at("symlink", at, name, rustix::fs::symlinkat(target.as_bytes(), &at.fd, name))?;
        let (owner, group) = (Uid::from_raw(as_it_was.uid), Gid::from_raw(as_it_was.gid));
        rustix::fs::chownat(&at.fd, name, Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| at.error("chown", name, errno))?;
        let path = at.through(name);
        for (key, value) in &as_it_was.attributes {
            // A label that this kernel does not take back is compared, and told, when the step is verified.
            let _ =
                rustix::fs::lsetxattr(path.as_slice(), key.as_bytes(), value.as_bytes(), XattrFlags::empty());
        }
        self.set_times(at, name, (as_it_was.accessed, as_it_was.modified))
    }

    fn rename(&self, at: &Folder, from: &[u8], to: &[u8]) -> Result<(), HostError> {
        let done = match rustix::fs::renameat_with(&at.fd, from, &at.fd, to, RenameFlags::NOREPLACE) {
            // Kernels before 3.15 and file systems without the flag.
            Err(Errno::NOSYS | Errno::INVAL) if at.has(to) => Err(Errno::EXIST),
            Err(Errno::NOSYS | Errno::INVAL) => rustix::fs::renameat(&at.fd, from, &at.fd, to),
            other => other,
        };
        self.at("rename", at, from, done)
    }

    fn exchange(&self, at: &Folder, one: &[u8], other: &[u8]) -> Result<(), HostError> {
        let done = rustix::fs::renameat_with(&at.fd, one, &at.fd, other, RenameFlags::EXCHANGE);
        self.at("rename", at, other, done)
    }

    fn link(&self, at: &Folder, name: &[u8], to: &Folder, new: &[u8]) -> Result<(), HostError> {
        self.at("link", to, new, rustix::fs::linkat(&at.fd, name, &to.fd, new, AtFlags::empty()))
    }

    fn remove(&self, at: &Folder, name: &[u8]) -> Result<(), HostError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let held = rustix::fs::openat(&at.fd, name, flags, Mode::empty()).ok();
        self.at("unlink", at, name, rustix::fs::unlinkat(&at.fd, name, AtFlags::empty()))?;
        if let (Some(held), Ok(mut nameless)) = (held, self.nameless.lock()) {
            nameless.take(held);
        }
        Ok(())
    }

    fn set_flags(&self, at: &Folder, name: &[u8], flags: u32) -> Result<(), HostError> {
        let open = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let done = rustix::fs::openat(&at.fd, name, open, Mode::empty()).and_then(|fd| set_flags(&fd, flags));
        done.map_err(|errno| at.error("set flags of", name, errno))
    }

    fn set_folder_flags(&self, at: &Folder, flags: u32) -> Result<(), HostError> {
        set_flags(&at.fd, flags).map_err(|errno| at.error("set flags of", b"", errno))
    }

    fn set_times(&self, at: &Folder, name: &[u8], times: (FileTime, FileTime)) -> Result<(), HostError> {
        rustix::fs::utimensat(&at.fd, name, &timestamps(times), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| at.error("utimensat", name, errno))
    }

    fn set_folder_times(&self, at: &Folder, times: (FileTime, FileTime)) -> Result<(), HostError> {
        rustix::fs::futimens(&at.fd, &timestamps(times)).map_err(|errno| at.error("futimens", b"", errno))
    }

    fn unmount(&self, point: &[u8]) -> Result<(), HostError> {
        let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
        rustix::mount::unmount(point, flags).map_err(|errno| HostError::errno("umount", point, errno))
    }

    fn mount(&self, what: &Mounting) -> Result<(), HostError> {
        let error = |errno| HostError::errno("mount", what.point.as_bytes(), errno);
        let flags = mount_flags(what.options.as_bytes());
        let (source, point) = (what.source.as_bytes(), what.point.as_bytes());
        if what.kind.is_empty() {
            rustix::mount::mount_bind(source, point).map_err(error)?;
            let again = flags | MountFlags::BIND;
            return rustix::mount::mount_remount(point, again, "").map_err(error);
        }
        let data = CString::new(what.data.as_bytes()).map_err(|_| error(Errno::INVAL))?;
        rustix::mount::mount(source, point, what.kind.as_bytes(), flags, Some(data.as_c_str())).map_err(error)
    }

    fn set(&self, path: &[u8], value: &[u8]) -> Result<(), HostError> {
        kernel::set(path, value)
    }

    fn destroy(&self, socket: &SocketFound) -> Result<(), HostError> {
        kernel::destroy(socket)
    }

    fn detach(&self, program: u32, from: &Attachment) -> Result<(), HostError> {
        kernel::detach(program, from)
    }

    fn settle(&self) -> Result<(), HostError> {
        let mut folders = self.unsettled.lock().map_err(|_| HostError::errno("fsync", "", Errno::IO))?;
        while let Some((id, folder)) = folders.pop() {
            match rustix::fs::fsync(&folder) {
                // Some file systems have no such call for folders.
                Ok(()) | Err(Errno::INVAL) => {}
                Err(errno) => {
                    folders.push((id, folder));
                    return Err(HostError::errno("fsync", "a folder", errno));
                }
            }
        }
        Ok(())
    }
}

/// Whether syncfs(2) tells that something could not be written: since Linux 5.8.
fn syncfs_tells_errors() -> bool {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).map(|text| text.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(5), Some(8))
}

/// Sets the settable flags and leaves the others as they are. A file system without flags has none to set.
fn set_flags(fd: &OwnedFd, flags: u32) -> Result<(), Errno> {
    let now = match rustix::fs::ioctl_getflags(fd) {
        Err(Errno::NOTTY | Errno::OPNOTSUPP | Errno::NOSYS) if flags & SETTABLE == 0 => return Ok(()),
        other => other?.bits(),
    };
    let wanted = (now & !SETTABLE) | (flags & SETTABLE);
    if wanted == now { Ok(()) } else { rustix::fs::ioctl_setflags(fd, IFlags::from_bits_retain(wanted)) }
}

fn timestamps((accessed, modified): (FileTime, FileTime)) -> Timestamps {
    let time = |time: FileTime| Timespec { tv_sec: time.0, tv_nsec: time.1.into() };
    Timestamps { last_access: time(accessed), last_modification: time(modified) }
}

/// The flags of a mount by the words that /proc/self/mountinfo uses for them.
fn mount_flags(options: &[u8]) -> MountFlags {
    let words: [(&[u8], MountFlags); 7] = [
        (b"ro", MountFlags::RDONLY),
        (b"nosuid", MountFlags::NOSUID),
        (b"nodev", MountFlags::NODEV),
        (b"noexec", MountFlags::NOEXEC),
        (b"noatime", MountFlags::NOATIME),
        (b"nodiratime", MountFlags::NODIRATIME),
        (b"relatime", MountFlags::RELATIME),
    ];
    options.split(|b| *b == b',').fold(MountFlags::empty(), |flags, word| {
        words.iter().filter(|(name, _)| *name == word).fold(flags, |flags, (_, flag)| flags | *flag)
    })
}
