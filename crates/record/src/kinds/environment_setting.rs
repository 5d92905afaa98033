//! Kind: a variable set for programs that start later.

use crate::{Text, kind::kind};

kind! {
    /// One environment variable that a file sets for logins or services (environment.d(5), pam_env.conf(5), sh(1)).
    EnvironmentSetting = "environment-setting" {
        /// The file it stands in.
        1 path: Text as Path,
        /// Line of the file, from 1.
        2 line: u32 as Plain,
        /// Name of the variable.
        3 name: Text as Plain,
        /// Its value, as written.
        4 value: Text as Secret,
        /// The account whose logins it is for; empty for the whole system.
        5 account: Text as Account,
        /// For a variable that loads libraries: the file the first of them resolves to, where one was found.
        6 file: Option<Text> as Path,
    }
}
