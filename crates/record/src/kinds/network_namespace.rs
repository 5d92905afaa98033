//! Kind: a network namespace.

use crate::{Text, kind::kind};

kind! {
    /// One network namespace (network_namespaces(7)).
    NetworkNamespace = "network-namespace" {
        /// Inode number, which names it while the kernel runs.
        1 inode: u64 as Plain,
        /// Whether calma itself runs in it.
        2 own: bool as Plain,
        /// Whether the first process runs in it.
        3 first: bool as Plain,
        /// What it was found by: `process`, `thread`, `mount`, `open file`.
        4 found: Vec<String> as Plain,
        /// Some of the processes in it, at most 32.
        5 pids: Vec<u32> as Pid,
        /// How many processes are in it.
        6 processes: u32 as Plain,
        /// Where it is mounted, as under /run/netns.
        7 mounts: Vec<Text> as Path,
        /// Whether calma could enter it.
        8 entered: bool as Plain,
    }
}
