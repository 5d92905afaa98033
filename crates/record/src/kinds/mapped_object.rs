//! Kind: a file mapped executable into a process.

use crate::{Text, kind::kind};

kind! {
    /// A file other than the program itself that a process has mapped executable, and that is deleted or stands outside the
    /// system's library directories.
    MappedObject = "mapped-object" {
        /// The process.
        1 pid: u32 as Pid,
        /// The file as /proc/PID/maps names it, without the " (deleted)" mark.
        2 path: Text as Path,
        /// Whether the file has no name any more.
        3 deleted: bool as Plain,
        /// Inode number.
        4 inode: u64 as Plain,
        /// Device number.
        5 device: u64 as Plain,
    }
}
