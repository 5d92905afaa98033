//! One calma at a time changes a machine.

use crate::HostError;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

/// Where the lock stands: in memory, gone at a restart.
const LOCK: &str = "/run/calma.lock";

/// Held while this calma changes the machine; the kernel lets go of it with the process.
#[derive(Debug)]
pub struct Alone {
    lock: OwnedFd,
}

/// Takes the lock of this machine. `None` when another calma has it.
///
/// # Errors
/// When the lock can not be made: /run is missing or read-only, or this is not root.
pub fn alone() -> Result<Option<Alone>, HostError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let error = |call| move |errno| HostError::errno(call, LOCK, errno);
    // Each round lost means that another calma ended at this very moment.
    for _ in 0..100 {
        let lock = rustix::fs::openat(CWD, LOCK, flags, Mode::RUSR | Mode::WUSR).map_err(error("open"))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(errno) => return Err(error("flock")(errno)),
        }
        // The file may have been removed by its last holder after it was opened: then its lock means nothing.
        if is_named(&lock) {
            return Ok(Some(Alone { lock }));
        }
    }
    Ok(None)
}

/// Whether the open file is the one that stands at the lock's name.
fn is_named(lock: &OwnedFd) -> bool {
    let id = |stat: Stat| (stat.st_dev, stat.st_ino);
    match (rustix::fs::fstat(lock), rustix::fs::lstat(LOCK)) {
        (Ok(open), Ok(named)) => id(open) == id(named),
        _ => false,
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // While the lock is held nobody else takes this file for the lock, so it is ours to remove.
        if is_named(&self.lock) {
            let _ = rustix::fs::unlink(LOCK);
        }
    }
}
