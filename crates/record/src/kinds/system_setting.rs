//! Kind: a setting that says whom a system trusts or what it records.

use crate::{Text, kind::kind};

kind! {
    /// One setting, of any program, that says whom or what the system trusts, where names lead, or what is recorded.
    SystemSetting = "system-setting" {
        /// What it is about, in few words: `polkit rule`, `bus policy`, `package source`, `log setting`.
        1 area: String as Plain,
        /// The file it stands in.
        2 path: Text as Path,
        /// Its line, from 1; 0 if the whole file is meant.
        3 line: u32 as Plain,
        /// Its name, or what it is given to.
        4 name: Text as Plain,
        /// Its value.
        5 value: Text as Secret,
        /// Whom it is for: `user:NAME`, `group:NAME`, `*` for everybody, an account's name; empty for the whole system.
        6 whom: Text as Account,
        /// Package that the host's own package list says the file belongs to; forgeable by root.
        7 package: Option<Text> as Plain,
        /// Whether the host has a package list, so that no `package` means no owner.
        8 packages_known: bool as Plain,
    }
}
