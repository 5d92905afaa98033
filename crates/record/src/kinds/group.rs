//! Kind: a group.

use crate::{Text, kind::kind};

kind! {
    /// One group of the group file (group(5)).
    Group = "group" {
        /// Name.
        1 name: Text as Plain,
        /// Group id.
        2 gid: u32 as Plain,
        /// Members besides those whose primary group it is.
        3 members: Vec<Text> as Plain,
        /// Line of the group file, from 1.
        4 line: u32 as Plain,
    }
}
