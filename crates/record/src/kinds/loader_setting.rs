//! Kind: a setting of the dynamic loader.

use crate::{Text, kind::kind};

kind! {
    /// One library or directory that the dynamic loader is told of (ld.so(8), ldconfig(8)).
    LoaderSetting = "loader-setting" {
        /// The file it stands in.
        1 path: Text as Path,
        /// Line of the file, from 1.
        2 line: u32 as Plain,
        /// `preload` for a library loaded into every program, `directory` for a place where libraries are looked for.
        3 what: String as Plain,
        /// The library or directory as written.
        4 value: Text as Path,
        /// The file it resolves to, where one was found.
        5 file: Option<Text> as Path,
    }
}
