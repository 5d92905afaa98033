//! Kind: a script a web server would run, with what it does.

use crate::{Digest, Text, Timestamp, kind::kind};

kind! {
    /// A file in a web server's folders that runs what a request says, hides what it does, or is code where none belongs.
    WebFile = "web-file" {
        /// Path without any link.
        1 path: Text as Path,
        /// The web root it stands in.
        2 root: Text as Path,
        /// What it would be run as: `PHP`, `JSP`, `ASP`, `shell`, `Perl`, `Python`, `other`.
        3 language: Text as Plain,
        /// What it does, by stable names (`input-evaluated`, …), each with its first line as `NAME:LINE`.
        4 signals: Vec<String> as Plain,
        /// Permission bits (07777).
        5 mode: u32 as Plain,
        /// Owner's user id.
        6 uid: u32 as Plain,
        /// Group id.
        7 gid: u32 as Plain,
        /// Length in bytes.
        8 size: u64 as Plain,
        /// Last change of content.
        9 modified: Timestamp as Time,
        /// Last change of metadata.
        10 changed: Timestamp as Time,
        /// Birth, where the file system keeps it.
        11 born: Option<Timestamp> as Time,
        /// Package that the host's own package list says it belongs to; forgeable by root.
        12 package: Option<Text> as Plain,
        /// Whether the host has a package list that calma could read.
        13 packages_known: bool as Plain,
        /// SHA-256 of the content, if it was read whole.
        14 digest: Option<Digest> as Digest,
        /// Whether it stands in a folder that visitors' uploads go to.
        15 in_uploads: bool as Plain,
        /// Whether its name is that of a picture, a style or another thing that is not run.
        16 disguised: bool as Plain,
    }
}
