//! Kind: a process whose folder in /proc does not show it.

use crate::{Text, kind::kind};

kind! {
    /// A process whose folder in /proc is empty or shows another process.
    ProcessMismatch = "process-mismatch" {
        /// The process.
        1 pid: u32 as Pid,
        /// `foreign`: it shows another process; `empty`: it lacks what every process has.
        2 what: String as Plain,
        /// The place: the folder or the file in it.
        3 place: Text as Path,
        /// Process id that the folder's content shows, if it shows another.
        4 shows: Option<u32> as Pid,
    }
}
