//! Kind: a line that says who may act as whom.

use crate::{Text, kind::kind};

kind! {
    /// One entry of sudoers(5), doas.conf(5) or sudo.conf(5): who may run what as whom, and how.
    SudoRule = "sudo-rule" {
        /// `sudo`, `doas` or `sudo.conf`.
        1 program: String as Plain,
        /// The file it stands in.
        2 path: Text as Path,
        /// Line of the file, from 1.
        3 line: u32 as Plain,
        /// `rule`, `defaults`, `alias`, `include` or `plugin`.
        4 what: String as Plain,
        /// Whom it is for, as written: names, `%groups`, `#ids`; the name of an alias.
        5 who: Vec<Text> as Account,
        /// On which hosts.
        6 hosts: Text as Plain,
        /// As whom, as written; empty means root.
        7 runas: Text as Plain,
        /// Tags: `NOPASSWD`, `SETENV` and so on.
        8 tags: Vec<String> as Plain,
        /// The command or `ALL`; the setting, the members of an alias, the path of an include or a plugin.
        9 command: Text as Plain,
        /// The longest run of blanks in the line: what stands behind many is out of sight.
        10 blanks: u32 as Plain,
        /// The file that an include or a plugin resolves to.
        11 file: Option<Text> as Path,
    }
}
