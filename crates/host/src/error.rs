//! Why a host did not answer.

use calma_record::Text;

/// What stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The kernel's error number (errno(3)).
    Errno(i32),
    /// A device, FIFO or socket stands where a file was expected; it was not opened.
    NotAFile,
    /// Something else stands where a directory was expected.
    NotADirectory,
    /// More symbolic links than the kernel itself would follow.
    Loop,
    /// The in-memory host or this target has no such interface.
    Unsupported,
    /// Another file stands at the name than a moment before.
    Replaced,
    /// calma was told not to ask, since asking alone may wake or block something.
    NotAsked,
}

/// A question that the host did not answer: what was asked, about what, and what stood in the way.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{call} {place}: {}", self.why())]
pub struct HostError {
    /// The system call or operation.
    pub call: &'static str,
    /// The path or object.
    pub place: Text,
    /// What stood in the way.
    pub cause: Cause,
}

impl HostError {
    /// An error of `call` about `place`.
    pub fn new(call: &'static str, place: impl Into<Text>, cause: Cause) -> Self {
        Self { call, place: place.into(), cause }
    }

    /// An error number of the kernel.
    pub fn errno(call: &'static str, place: impl Into<Text>, errno: rustix::io::Errno) -> Self {
        Self::new(call, place, Cause::Errno(errno.raw_os_error()))
    }

    /// Whether the thing is simply not there (any more).
    pub fn is_missing(&self) -> bool {
        matches!(self.cause, Cause::Errno(libc::ENOENT | libc::ESRCH | libc::ENOTDIR))
    }

    /// Whether it is there, but not for us.
    pub fn is_denied(&self) -> bool {
        matches!(self.cause, Cause::Errno(libc::EACCES | libc::EPERM))
    }

    /// Whether this kernel or target lacks the interface.
    pub fn is_unsupported(&self) -> bool {
        matches!(
            self.cause,
            Cause::Unsupported
                | Cause::Errno(
                    libc::ENOSYS
                        | libc::EOPNOTSUPP
                        | libc::EAFNOSUPPORT
                        | libc::EPROTONOSUPPORT
                        | libc::EINVAL
                )
        )
    }

    /// The reason in plain words.
    pub fn why(&self) -> String {
        match self.cause {
            Cause::Errno(libc::ENOENT | libc::ESRCH) => "it is not there".to_owned(),
            Cause::Errno(libc::EACCES | libc::EPERM) => "permission denied".to_owned(),
            Cause::Errno(libc::ENOSYS) => "this kernel does not have that system call".to_owned(),
            Cause::Errno(libc::EIO) => "the device reports an input/output error".to_owned(),
            Cause::Errno(errno) => {
                let text = std::io::Error::from_raw_os_error(errno).to_string();
                text.split(" (os error").next().unwrap_or_default().to_lowercase()
            }
            Cause::NotAFile => "it is not a regular file, and was not opened".to_owned(),
            Cause::NotADirectory => "it is not a directory, and was not entered".to_owned(),
            Cause::Loop => "its symbolic links form a loop".to_owned(),
            Cause::Unsupported => "not available on this target".to_owned(),
            Cause::Replaced => "it was replaced while calma looked at it".to_owned(),
            Cause::NotAsked => "it may hang, and was not asked".to_owned(),
        }
    }
}
