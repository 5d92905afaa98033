//! Kind: what a mount covers.

use crate::{Text, kind::kind};

kind! {
    /// A directory or file that a mount covers, and that is not empty: only below the mount it can be seen.
    CoveredPlace = "covered-place" {
        /// Where the mount stands.
        1 point: Text as Path,
        /// Type of the file system that covers it.
        2 filesystem: Text as Plain,
        /// Whether a file is covered, not a directory.
        3 is_file: bool as Plain,
        /// Names that are covered, as far as they were counted.
        4 names: u64 as Plain,
        /// Regular files among them.
        5 files: u64 as Plain,
        /// Paths of programs and scripts among them that no package claims, some of them.
        6 programs: Vec<Text> as Path,
        /// Paths of set-id files among them, some of them.
        7 set_id: Vec<Text> as Path,
        /// Some other paths of what is covered.
        8 examples: Vec<Text> as Path,
        /// Whether the administrator's own settings (fstab, mount units) name the mount.
        9 configured: bool as Plain,
    }
}
