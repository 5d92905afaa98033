//! Kind: an open file descriptor worth recording.

use crate::{Text, kind::kind};

kind! {
    /// A descriptor of a process that holds something without a lasting name: a socket, a deleted file, a kernel object.
    OpenFile = "open-file" {
        /// The process.
        1 pid: u32 as Pid,
        /// Descriptor number.
        2 descriptor: u32 as Plain,
        /// `socket`, `deleted`, `memfd`, `io_uring`, `bpf`, `perf`, `pidfd`, `userfaultfd`, `fanotify`, `memory` (another process's memory).
        3 what: String as Plain,
        /// Where the descriptor's link leads, as the kernel writes it.
        4 target: Text as Path,
        /// Inode number of a socket.
        5 inode: Option<u64> as Plain,
        /// Length of a deleted file, where it could be asked.
        6 size: Option<u64> as Plain,
        /// Whether a deleted file is an ELF object.
        7 elf: bool as Plain,
        /// First line of a deleted script, beginning with `#!`.
        8 script: Option<Text> as Plain,
        /// Whether another file stands where a deleted one stood.
        9 replaced: bool as Plain,
        /// Whether the descriptor may write to a deleted file.
        10 writes: bool as Plain,
    }
}
