//! Letting a disk go: its data is brought down to it, then it is unmounted.

use crate::HostError;
use crate::ground::{ProcessLine, processes};
use crate::live::files::read_made_by_kernel;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

/// Why a disk was not let go.
#[derive(Debug)]
pub enum EjectError {
    /// Nothing is mounted there, or the system itself stands on it.
    NoDisk,
    /// These processes still use it. Everything that was written so far is on the disk.
    Busy(Vec<ProcessLine>),
    /// The disk refuses.
    Host(HostError),
}

/// Brings everything down to the disk that is mounted at `point` and unmounts it.
///
/// # Errors
/// With the reason; what could be brought to the disk is there all the same.
pub fn eject(point: &[u8]) -> Result<(), EjectError> {
    let error = |call| move |errno| EjectError::Host(HostError::errno(call, point, errno));
    let point_now =
        rustix::fs::openat(CWD, point, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(error("open"))?;
    let path =
        rustix::fs::readlinkat(CWD, through(&point_now).as_slice(), Vec::new()).map_err(error("readlink"))?;
    let essential = [
        &b"/"[..],
        b"/proc",
        b"/sys",
        b"/dev",
        b"/run",
        b"/usr",
        b"/boot",
        b"/home",
        b"/var",
        b"/etc",
        b"/tmp",
    ];
    if essential.contains(&path.as_bytes()) || !is_mounted(path.as_bytes()) {
        return Err(EjectError::NoDisk);
    }
    let device = rustix::fs::fstat(&point_now).map_err(error("stat"))?.st_dev;
    rustix::fs::syncfs(&point_now).map_err(error("syncfs"))?;
    drop(point_now);
    // Not lazily: only a mount that is gone has given everything to the device.
    match rustix::mount::unmount(path.as_bytes(), UnmountFlags::NOFOLLOW) {
        Err(Errno::BUSY) => Err(EjectError::Busy(holders(device))),
        other => other.map_err(error("umount")),
    }
}

fn through(fd: &impl rustix::fd::AsRawFd) -> Vec<u8> {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into_bytes()
}

/// Whether something is mounted right at a path.
fn is_mounted(path: &[u8]) -> bool {
    let text = read_made_by_kernel(b"/proc/self/mountinfo", 16 << 20).map(|content| content.bytes);
    let escaped: Vec<u8> = path
        .iter()
        .flat_map(|b| match b {
            b' ' | b'\t' | b'\n' | b'\\' => format!("\\{b:03o}").into_bytes(),
            b => vec![*b],
        })
        .collect();
    text.unwrap_or_default()
        .split(|b| *b == b'\n')
        .any(|line| line.split(|b| *b == b' ').nth(4) == Some(&escaped))
}

/// Processes whose folder, program or open files lie on a device.
fn holders(device: u64) -> Vec<ProcessLine> {
    let on_it = |path: String| rustix::fs::stat(path.as_str()).is_ok_and(|stat| stat.st_dev == device);
    let holds = |line: &ProcessLine| {
        let at = |file: &str| format!("/proc/{}/{file}", line.pid);
        if ["cwd", "root", "exe"].iter().any(|link| on_it(at(link))) {
            return true;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listing = rustix::fs::openat(CWD, at("fd"), flags, Mode::empty()).and_then(rustix::fs::Dir::new);
        listing.is_ok_and(|listing| {
            listing.flatten().any(|entry| on_it(at(&format!("fd/{}", entry.file_name().to_string_lossy()))))
        })
    };
    processes().unwrap_or_default().into_iter().filter(|line| !line.kernel_thread && holds(line)).collect()
}
