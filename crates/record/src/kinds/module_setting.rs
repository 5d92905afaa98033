//! Kind: a setting of a kernel module.

use crate::{Text, kind::kind};

kind! {
    /// A line that has a kernel module loaded at boot or with another one, or blocks or configures one (modprobe.d(5)).
    ModuleSetting = "module-setting" {
        /// The file with the line.
        1 path: Text as Path,
        /// Its line, from 1.
        2 line: u32 as Plain,
        /// `load`, `blacklist` or `options`. Commands that run instead of loading are startup commands.
        3 what: String as Plain,
        /// The module as written.
        4 module: Text as Plain,
        /// Its parameters.
        5 options: Text as Plain,
        /// The files of that module, one for each kernel that has it.
        6 files: Vec<Text> as Path,
        /// Package that the host's own package list says the file with the line belongs to; forgeable by root.
        7 package: Option<Text> as Plain,
        /// Whether the host has a package list, so that no `package` means no owner.
        8 packages_known: bool as Plain,
    }
}
