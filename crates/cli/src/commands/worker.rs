//! The confined reader of hostile files: this same program, started by the observing side.

use calma_host::Workers;
use std::process::ExitCode;

/// The one word that makes this program a worker.
const WORD: &str = "worker";

/// Whether this program was started as a worker. Asked before anything else is done: a worker is up in a millisecond, and
/// has nothing to give up that it never took.
pub(crate) fn is_asked() -> bool {
    let mut words = std::env::args_os().skip(1);
    words.next().is_some_and(|word| word == WORD) && words.next().is_none()
}

/// Answers questions until the other end is gone.
pub(crate) fn run() -> ExitCode {
    calma_collect::work();
    ExitCode::SUCCESS
}

/// Workers of this very program, even if its file was replaced or removed meanwhile (proc_pid_exe(5)).
pub(crate) fn workers() -> Workers {
    Workers::confined("/proc/self/exe", &[WORD])
}
