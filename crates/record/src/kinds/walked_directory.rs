//! Kind: names of a directory with their metadata, packed. A bulk kind: it streams past and is never kept in tables.

use crate::{Text, kind::kind};

kind! {
    /// Some names of one directory, as the walk over the file systems saw them. Each column has a value for each name; the
    /// last value of a column that is shorter than the names stands for all names behind it, and an empty one for zeros.
    WalkedDirectory = "walked-directory" {
        /// The directory, without any link on the way.
        1 path: Text as Path,
        /// Device number of the directory.
        2 device: u64 as Plain,
        /// The names.
        3 names: Vec<Text> as Plain,
        /// Type and permission bits (`st_mode`).
        4 modes: Vec<u32> as Plain,
        /// Owners.
        5 uids: Vec<u32> as Plain,
        /// Groups.
        6 gids: Vec<u32> as Plain,
        /// Lengths in bytes.
        7 sizes: Vec<u64> as Plain,
        /// Inode numbers.
        8 inodes: Vec<u64> as Plain,
        /// Numbers of hard links.
        9 links: Vec<u32> as Plain,
        /// Last accesses, in nanoseconds since 1970.
        10 accessed: Vec<i64> as Plain,
        /// Last changes of content.
        11 modified: Vec<i64> as Plain,
        /// Last changes of metadata.
        12 changed: Vec<i64> as Plain,
        /// Births; 0 where the file system does not keep them.
        13 born: Vec<i64> as Plain,
        /// Attributes of statx(2): 16 immutable, 32 append only, 64 no dump, 2048 encrypted, 1048576 verity.
        14 attributes: Vec<u64> as Plain,
        /// Packages of the host's own list that claim a name here.
        15 packages: Vec<Text> as Plain,
        /// Which of these claims the name, counted from 1; 0 for none.
        16 claims: Vec<u32> as Plain,
        /// Devices of the names that are not on the directory's own; 0 for those that are.
        17 devices: Vec<u64> as Plain,
        /// Targets of symbolic links, as they are written; empty for what is none.
        18 targets: Vec<Text> as Path,
    }
}
