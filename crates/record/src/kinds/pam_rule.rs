//! Kind: a rule of pluggable authentication.

use crate::{Text, kind::kind};

kind! {
    /// One rule of pluggable authentication (pam.conf(5)).
    PamRule = "pam-rule" {
        /// The file it stands in.
        1 path: Text as Path,
        /// Line of the file, from 1.
        2 line: u32 as Plain,
        /// The service: the file's name, or the first word in /etc/pam.conf.
        3 service: Text as Plain,
        /// `auth`, `account`, `password`, `session`; `all` for an include of everything.
        4 stack: String as Plain,
        /// `required`, `[success=1 default=ignore]`, `include` and so on.
        5 control: Text as Plain,
        /// The module, or the included service, as written.
        6 module: Text as Path,
        /// The file the module resolves to, where one was found.
        7 file: Option<Text> as Path,
        /// Arguments of the module.
        8 arguments: Vec<Text> as Plain,
    }
}
