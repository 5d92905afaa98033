//! Kind: a command that some mechanism runs by itself.

use crate::{Text, kind::kind};

kind! {
    /// A command, or a file with commands, that a mechanism other than the service manager and cron runs by itself.
    StartupCommand = "startup-command" {
        /// The mechanism, in few words: `udev rule`, `apt hook`, `init script`, `shell profile`, `pam_exec`.
        1 mechanism: String as Plain,
        /// The file with the setting.
        2 path: Text as Path,
        /// Its line, from 1; 0 if the whole file is run.
        3 line: u32 as Plain,
        /// The command as written; the path if the whole file is run.
        4 command: Text as Secret,
        /// When it runs, in plain words: "at every boot", "when root logs in".
        5 when: String as Plain,
        /// The account it runs as, if one is known.
        6 user: Option<Text> as Account,
        /// Whether it runs with root's rights.
        7 as_root: bool as Plain,
        /// Package that the host's own package list says the file with the setting belongs to; forgeable by root.
        8 package: Option<Text> as Plain,
        /// Whether the host has a package list, so that no `package` means no owner.
        9 packages_known: bool as Plain,
    }
}
