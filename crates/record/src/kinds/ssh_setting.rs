//! Kind: a setting of the SSH server or client.

use crate::{Text, kind::kind};

kind! {
    /// One setting of the SSH server (sshd_config(5)) or client (ssh_config(5)), includes followed.
    SshSetting = "ssh-setting" {
        /// `sshd` or `ssh`.
        1 program: String as Plain,
        /// The file it stands in.
        2 path: Text as Path,
        /// Line of the file, from 1.
        3 line: u32 as Plain,
        /// Keyword in small letters.
        4 keyword: String as Plain,
        /// Its arguments, without quotes, joined by blanks.
        5 value: Text as Plain,
        /// Criteria of the Match or Host block it stands in, empty outside.
        6 block: Text as Plain,
        /// Whether it takes effect: outside blocks the first value of a keyword wins.
        7 effective: bool as Plain,
        /// Home directory of the account whose client it sets, empty for the whole system.
        8 home: Text as Path,
    }
}
