//! Kind: many files that look renamed or rewritten by one cause.

use crate::{Text, Timestamp, kind::kind};

kind! {
    /// Many files of several directories that look renamed or rewritten by one cause, or a note left in many directories.
    RewrittenFiles = "rewritten-files" {
        /// `renamed` (a new ending behind known ones), `new` (an unknown ending alone), `content` (known endings, content of no such kind), `note`.
        1 what: String as Plain,
        /// The new ending, without its dot.
        2 ending: Text as Plain,
        /// How many files.
        3 files: u64 as Plain,
        /// In how many directories.
        4 directories: u64 as Plain,
        /// How many of them were looked into.
        5 sampled: u64 as Plain,
        /// How many of those hold nothing but random-looking bytes.
        6 random: u64 as Plain,
        /// First last change of content among them.
        7 first: Timestamp as Time,
        /// Last last change of content among them.
        8 last: Timestamp as Time,
        /// Some of them.
        9 examples: Vec<Text> as Path,
        /// One of the notes.
        10 note: Option<Text> as Path,
        /// In how many directories such a note stands.
        11 notes: u64 as Plain,
        /// What the note speaks of.
        12 words: Vec<String> as Plain,
    }
}
