//! Kind: a kernel module.

use crate::{Text, kind::kind};

kind! {
    /// One loadable kernel module, and which of the kernel's views show it.
    Module = "module" {
        /// Its name.
        1 name: Text as Plain,
        /// Whether /proc/modules lists it; `None` if that list could not be read.
        2 in_list: Option<bool> as Plain,
        /// Whether /sys/module has it as a loaded module; `None` if that folder could not be read.
        3 in_sys: Option<bool> as Plain,
        /// Whether /proc/kallsyms has symbols of it; `None` if no module's symbols could be read.
        4 in_symbols: Option<bool> as Plain,
        /// Modules that say they are used by it, or use it.
        5 named_by: Vec<Text> as Plain,
        /// `Live`, `Loading`, `Unloading`, or the state /sys/module gives; empty if unknown.
        6 state: Text as Plain,
        /// Size in memory in bytes; 0 if unknown.
        7 size: u64 as Plain,
        /// Its taint letters: `P` not free, `O` from outside the kernel's source, `E` without a valid signature, `F` forced.
        8 taint: Text as Plain,
        /// Its file, as the kernel's own list of module files (modules.dep) names it.
        9 file: Option<Text> as Path,
        /// Whether that list of module files could be read, so that no `file` means there is none.
        10 files_known: bool as Plain,
        /// Whether the kernel's log says that this module tainted the kernel.
        11 logged: bool as Plain,
        /// Whether the difference between the views was there again when calma looked a second and a third time.
        12 confirmed: bool as Plain,
    }
}
