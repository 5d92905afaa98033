//! Kind: a file or directory whose times, name, rights or attributes are not what they are elsewhere.

use crate::{Text, Timestamp, kind::kind};

kind! {
    /// A file or directory whose times, name, rights or attributes are not what they ordinarily are in its place.
    OddFile = "odd-file" {
        /// Path without any link.
        1 path: Text as Path,
        /// `file`, `directory`, `other`.
        2 what: String as Plain,
        /// Type and permission bits (`st_mode`).
        3 mode: u32 as Plain,
        /// Owner's user id.
        4 uid: u32 as Plain,
        /// Group id.
        5 gid: u32 as Plain,
        /// Length in bytes.
        6 size: u64 as Plain,
        /// Last change of content.
        7 modified: Timestamp as Time,
        /// Last change of metadata.
        8 changed: Timestamp as Time,
        /// Birth, where the file system keeps it.
        9 born: Option<Timestamp> as Time,
        /// Package that the host's own package list says it belongs to; forgeable by root.
        10 package: Option<Text> as Plain,
        /// Whether the host has a package list that calma could read.
        11 packages_known: bool as Plain,
        /// Why it is here: `backdated`, `future`, `hidden-directory`, `world-writable`, `acl`, `append-only`,
        /// `immutable-directory`, `links`, `block-device`.
        12 reasons: Vec<String> as Plain,
        /// The host's clock when it was seen.
        13 now: Timestamp as Time,
        /// When most of its neighbours were born.
        14 neighbours_born: Option<Timestamp> as Time,
        /// A packaged neighbour with the very same time of modification, to the nanosecond.
        15 same_time_as: Option<Text> as Plain,
        /// Who else may write by its access control list: `user:1000`, `group:27`, `default user:1000`.
        16 writers: Vec<String> as Plain,
        /// Whether it is an ELF object.
        17 elf: bool as Plain,
        /// First line of a script, beginning with `#!`.
        18 script: Option<Text> as Plain,
        /// Of a directory: names in it.
        19 names: u64 as Plain,
        /// Of a directory: regular files in it.
        20 files: u64 as Plain,
        /// Of a directory: programs and scripts among the first of them.
        21 programs: u64 as Plain,
        /// Of a directory: some names in it.
        22 some: Vec<Text> as Plain,
        /// Number of hard links; of a directory of this file system two more than its subdirectories.
        23 links: u32 as Plain,
        /// Of a directory: subdirectories that its listing shows.
        24 directories: u64 as Plain,
    }
}
