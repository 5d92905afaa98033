//! Kind: what a boot loader is told to start.

use crate::{Text, kind::kind};

kind! {
    /// A kernel's command line, as an entry of a boot loader, a setting that entries are made from, or the running kernel has it.
    BootEntry = "boot-entry" {
        /// The file it stands in.
        1 path: Text as Path,
        /// Its line, from 1.
        2 line: u32 as Plain,
        /// `menu` for an entry of a boot loader, `setting` for what entries are made from, `running` for the kernel that runs.
        3 what: String as Plain,
        /// The entry's title, or the name of the setting.
        4 title: Text as Plain,
        /// The kernel's file as written.
        5 kernel: Option<Text> as Path,
        /// The same as a file of the system, where one was found.
        6 kernel_file: Option<Text> as Path,
        /// Initial file systems as written, in their order.
        7 initrds: Vec<Text> as Path,
        /// The same as files of the system, where they were found.
        8 initrd_files: Vec<Text> as Path,
        /// The options, one word each.
        9 options: Vec<Text> as Plain,
    }
}
