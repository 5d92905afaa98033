//! System calls about processes, answered as a test tells.

use crate::{Asking, Cause, Held, HostError, Processes};
use std::collections::BTreeSet;
use std::ops::Range;

/// Answers about processes. Without any, no such system call is to be had.
#[derive(Debug, Default)]
pub struct MemProcesses {
    answering: Option<BTreeSet<u32>>,
    denying: BTreeSet<(Asking, u32)>,
}

impl MemProcesses {
    /// These process ids answer to system calls.
    pub fn answering(&mut self, pids: impl IntoIterator<Item = u32>) {
        self.answering.get_or_insert_default().extend(pids);
    }

    /// This view denies the process id.
    pub fn denying(&mut self, asking: Asking, pid: u32) {
        self.denying.insert((asking, pid));
    }
}

impl Processes for MemProcesses {
    fn sweep(&self, asking: Asking, range: Range<u32>) -> Result<Vec<u32>, HostError> {
        let missing = || HostError::new(asking.call(), "", Cause::Unsupported);
        let answering = self.answering.as_ref().ok_or_else(missing)?;
        Ok(answering.range(range).copied().filter(|pid| !self.denying.contains(&(asking, *pid))).collect())
    }

    fn hold(&self, pid: u32) -> Result<Box<dyn Held>, HostError> {
        if self.answers(Asking::Handle, pid) {
            return Ok(Box::new(Alive));
        }
        Err(HostError::new("pidfd_open", "", Cause::Errno(libc::ESRCH)))
    }
}

struct Alive;

impl Held for Alive {
    fn alive(&self) -> bool {
        true
    }
}
