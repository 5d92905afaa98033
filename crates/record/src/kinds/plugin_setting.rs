//! Kind: a module that a library loads into programs by a setting.

use crate::{Text, kind::kind};

kind! {
    /// A module that the C library's character conversion or OpenSSL loads into programs because a file says so.
    PluginSetting = "plugin-setting" {
        /// `gconv` or `openssl`.
        1 what: String as Plain,
        /// The file with the setting; the module itself where it stands in the directory of modules and no file names it.
        2 path: Text as Path,
        /// Its line, from 1; 0 if no line names it.
        3 line: u32 as Plain,
        /// The module as written.
        4 value: Text as Path,
        /// The file it resolves to.
        5 file: Option<Text> as Path,
    }
}
