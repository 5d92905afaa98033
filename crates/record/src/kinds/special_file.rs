//! Kind: a file with special rights or in a special place.

use crate::{Digest, Text, Timestamp, kind::kind};

kind! {
    /// A regular file that gives rights (set-id, capability), resists change, or is a program where programs do not belong.
    SpecialFile = "special-file" {
        /// Path without any link.
        1 path: Text as Path,
        /// Permission bits with set-id and sticky bits (07777).
        2 mode: u32 as Plain,
        /// Owner's user id.
        3 uid: u32 as Plain,
        /// Group id.
        4 gid: u32 as Plain,
        /// Length in bytes.
        5 size: u64 as Plain,
        /// Last change of content.
        6 modified: Timestamp as Time,
        /// Last change of metadata.
        7 changed: Timestamp as Time,
        /// Birth, where the file system keeps it.
        8 born: Option<Timestamp> as Time,
        /// Package that the host's own package list says it belongs to; forgeable by root.
        9 package: Option<Text> as Plain,
        /// Whether the host has a package list that calma could read.
        10 packages_known: bool as Plain,
        /// SHA-256 of the content, for files no package owns.
        11 digest: Option<Digest> as Digest,
        /// Whether the immutable attribute is set.
        12 immutable: bool as Plain,
        /// Value of the security.capability attribute as hexadecimal digits, empty if there is none.
        13 capability: String as Plain,
        /// Whether it is an ELF object.
        14 elf: bool as Plain,
        /// First line of a script, beginning with `#!`.
        15 script: Option<Text> as Plain,
        /// Why it is here: `set-id`, `capability`, `temporary`, `device-folder`, `hidden`, `odd-place`, `immutable`.
        16 reasons: Vec<String> as Plain,
        /// A program of the system with the very same content.
        17 same_as: Option<Text> as Path,
        /// Number of hard links.
        18 links: u32 as Plain,
        /// When its package's list was last written, for packaged set-id files.
        19 installed: Option<Timestamp> as Time,
    }
}
