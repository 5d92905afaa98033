//! Kind: a process that the listing of /proc leaves out.

use crate::{Text, kind::kind};

kind! {
    /// A process that answers system calls, or is named by the kernel elsewhere, while the listing of /proc leaves it out.
    HiddenProcess = "hidden-process" {
        /// Process id.
        1 pid: u32 as Pid,
        /// Views in which it exists, for example `kill` or `cgroup.procs`.
        2 seen: Vec<String> as Plain,
        /// Views that deny it.
        3 denied: Vec<String> as Plain,
        /// Name, where /proc/PID can be read although it is not listed.
        4 name: Text as Plain,
        /// Program, where /proc/PID can be read although it is not listed.
        5 program: Option<Text> as Path,
        /// Start time in clock ticks since boot, where it can be read.
        6 start_ticks: Option<u64> as Plain,
        /// Control group that names it, if one does.
        7 cgroup: Text as Plain,
        /// How often it was looked for again: each time it answered and was not listed.
        8 rechecks: u32 as Plain,
    }
}
