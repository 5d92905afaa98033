//! One calma at a time changes a machine.

use crate::HostError;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// Where the lock stands: in memory, gone at a restart.
const LOCK: &str = "/run/calma.lock";

/// Held while this calma changes the machine; the kernel lets go of it with the process.
#[derive(Debug)]
pub struct Alone {
    _lock: OwnedFd,
}

/// Takes the lock of this machine. `None` when another calma has it.
///
/// # Errors
/// When the lock can not be made: /run is missing or read-only, or this is not root.
pub fn alone() -> Result<Option<Alone>, HostError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let error = |call| move |errno| HostError::errno(call, LOCK, errno);
    let lock = rustix::fs::openat(CWD, LOCK, flags, Mode::RUSR | Mode::WUSR).map_err(error("open"))?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Alone { _lock: lock })),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(error("flock")(errno)),
    }
}
