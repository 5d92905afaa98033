//! Kind: a process.

use crate::{Text, Timestamp, kind::kind};

kind! {
    /// One process (thread group) as the running kernel shows it.
    Process = "process" {
        /// Process id in calma's pid namespace.
        1 pid: u32 as Pid,
        /// Parent's process id.
        2 parent: u32 as Parent,
        /// Start time in clock ticks since boot (field 22 of /proc/PID/stat); with the pid it names one process for good.
        3 start_ticks: u64 as Plain,
        /// Start time, from the boot time and the ticks.
        4 started: Timestamp as Time,
        /// Name the process gives itself (at most 15 bytes).
        5 name: Text as Plain,
        /// Arguments, as the process shows them now.
        6 arguments: Vec<Text> as Secret,
        /// Program file as /proc/PID/exe names it, without the " (deleted)" mark; `None` if there is none or it could not be read.
        7 program: Option<Text> as Path,
        /// Whether the program's file has no name any more.
        8 deleted: bool as Plain,
        /// Whether the program runs from an anonymous memory file (memfd_create(2)).
        9 memfd: bool as Plain,
    }
}
