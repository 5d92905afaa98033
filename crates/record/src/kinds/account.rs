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
        /// The user id as it is written, where that is not its plain decimal form.
        8 uid_written: Option<Text> as Plain,
        /// State of the password: `empty` (none is asked), `hash`, `locked` (a hash behind a lock mark), `none` (none
        /// fits); `None` where shadow(5) could not be read.
        9 password: Option<String> as Plain,
        /// How the password is hashed (crypt(5)); never the hash.
        10 scheme: String as Plain,
        /// Last change of the password in days since 1970-01-01.
        11 password_changed: Option<u32> as Plain,
        /// Groups it is a member of, its primary group among them.
        12 groups: Vec<Text> as Plain,
        /// Whether its id is one for services, by UID_MIN of login.defs(5).
        13 system: bool as Plain,
        /// Whether its shell lets it log in: no nologin(8), false(1), sync(1), shutdown(8) or halt(8).
        14 login: bool as Plain,
        /// Whether it stands in the backup /etc/passwd-, where there is one.
        15 in_backup: Option<bool> as Plain,
    }
}
