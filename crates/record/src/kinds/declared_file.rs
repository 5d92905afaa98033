//! Kind: a line of tmpfiles.d or sysusers.d.

use crate::{Text, kind::kind};

kind! {
    /// A line that has the service manager make, change or remove a file (tmpfiles.d(5)) or an account (sysusers.d(5)) by itself.
    DeclaredFile = "declared-file" {
        /// The file with the line.
        1 path: Text as Path,
        /// Its line, from 1.
        2 line: u32 as Plain,
        /// `file` or `account`.
        3 what: String as Plain,
        /// The line's type with its signs: `f+`, `L+`, `u`.
        4 action: Text as Plain,
        /// The file or account it is about.
        5 target: Text as Path,
        /// Permission bits as written.
        6 mode: Text as Plain,
        /// Owner as written; an account's user id.
        7 user: Text as Plain,
        /// Group as written.
        8 group: Text as Plain,
        /// Content, source, or what a link leads to; an account's home and shell.
        9 argument: Text as Secret,
        /// Package that the host's own package list says the file with the line belongs to; forgeable by root.
        10 package: Option<Text> as Plain,
        /// Whether the host has a package list, so that no `package` means no owner.
        11 packages_known: bool as Plain,
    }
}
