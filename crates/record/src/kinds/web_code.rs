//! Kind: a file of code of a web application that runs by itself, or stands where no code belongs.

use crate::{Text, Timestamp, kind::kind};

kind! {
    /// A file of a web application that it runs with every request, or that stands among uploads or in a cache, in outline.
    WebCode = "web-code" {
        /// The file.
        1 path: Text as Path,
        /// The application's folder.
        2 root: Text as Path,
        /// The application's name.
        3 product: String as Plain,
        /// What it is there: `must-use plugin`, `drop-in`, `settings`, `start file`, `theme`, `upload`, `cache`.
        4 role: String as Plain,
        /// What it does, by stable names (`runs`, `fetches`, `makes-account`, …), each with its first line as `NAME:LINE`.
        5 acts: Vec<String> as Plain,
        /// Files it includes, as far as they can be told: `LINE:PATH`; a path that was put together so that it can not be
        /// searched for begins with `!`.
        6 includes: Vec<Text> as Plain,
        /// Permission bits (07777).
        7 mode: u32 as Plain,
        /// Owner's user id.
        8 uid: u32 as Plain,
        /// Length in bytes.
        9 size: u64 as Plain,
        /// Last change of content.
        10 modified: Timestamp as Time,
        /// Package that the host's own package list says it belongs to; forgeable by root.
        11 package: Option<Text> as Plain,
        /// Whether it gets further than its first statement and is no mere list of values.
        12 does_something: bool as Plain,
        /// Whether it is run as a program of its own by its first line: a shell's, Perl's or Python's script.
        13 script: bool as Plain,
    }
}
