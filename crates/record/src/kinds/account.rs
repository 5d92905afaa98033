//! Kind: an account.

use crate::{Text, kind::kind};

kind! {
    /// One account of the password file (passwd(5)).
    Account = "account" {
        /// Login name.
        1 name: Text as Account,
        /// User id.
        2 uid: u32 as Plain,
        /// Primary group id.
        3 gid: u32 as Plain,
        /// Home directory.
        4 home: Text as Path,
        /// Login shell; empty means /bin/sh.
        5 shell: Text as Path,
        /// Line of the password file, from 1.
        6 line: u32 as Plain,
        /// Whether the password field is empty: no password is asked.
        7 no_password: bool as Plain,
    }
}
