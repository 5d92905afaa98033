//! The second guardian: where the kernel does not take tables away with their owner (before Linux 5.12), another process opens
//! when the guard ends during the trial, or lets the end of the trial pass.
//!
//! It reads a pipe of which only the guard holds the other end, and the guard's state: as long as that says *trial*, the end of
//! the pipe or of the time means that it must open. Once the state says *held*, only a person opens.

use crate::order::Phase;
use crate::start::{self, WORD};
use crate::state;
use crate::world::World;
use calma_host::standing;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// The word that makes a guard the second one.
const SECOND: &str = "--second";
/// How long the guard may be late, in milliseconds, before the second guardian opens in its place.
const LATE: u64 = 1_500;
/// Longest sleep between two looks at the clock and the state.
const LOOK: Duration = Duration::from_millis(250);

/// The second guardian as the guard holds it.
pub(crate) struct Second {
    child: Child,
    pipe: ChildStdin,
}

impl Second {
    /// Starts it.
    ///
    /// # Errors
    /// When it can not be started.
    #[expect(clippy::disallowed_methods, reason = "the second guardian is this same program")]
    pub(crate) fn start() -> io::Result<Self> {
        let mut child = Command::new("/proc/self/exe")
            .args([WORD, SECOND])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        match child.stdin.take() {
            Some(pipe) => Ok(Self { child, pipe }),
            None => Err(io::Error::other("it has no input")),
        }
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl AsFd for Second {
    /// Becomes ready when it has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// Waits, with the guard's pipe as `input`, and opens when it must.
pub fn watch(world: &dyn World, input: BorrowedFd<'_>) {
    let boot = calma_host::ground::boot();
    let _ = standing::stand_alone(crate::serve::GROUP);
    loop {
        let ended = standing::readable(&[input], LOOK).is_ok_and(|ready| ready.first() == Some(&true));
        // One that can not be read is as one that is not there: nothing is known that could be opened.
        let Some(left) = state::read(&boot).ok().flatten().filter(|state| state.phase == Phase::Trial) else {
            return standing::remove_own_groups(crate::serve::GROUP);
        };
        if ended || world.now() >= left.ends.saturating_add(LATE) {
            // What is not open after this is on record for whoever releases.
            drop(start::open_without_guard(world, &left));
            return standing::remove_own_groups(crate::serve::GROUP);
        }
    }
}
