//! Kind: the digest of a program that no package explains, or of one that gives rights.

use crate::{Digest, Text, Timestamp, kind::kind};

kind! {
    /// SHA-256 of an executable, library, script or kernel module that no package claims, or of any set-id file.
    FileDigest = "file-digest" {
        /// Path without any link.
        1 path: Text as Path,
        /// SHA-256 of the whole content.
        2 digest: Digest as Digest,
        /// Length in bytes.
        3 size: u64 as Plain,
        /// `program`, `library`, `module`, `script`, `set-id`.
        4 what: String as Plain,
        /// Permission bits with set-id and sticky bits (07777).
        5 mode: u32 as Plain,
        /// Owner's user id.
        6 uid: u32 as Plain,
        /// Last change of content.
        7 modified: Timestamp as Time,
        /// Birth, where the file system keeps it.
        8 born: Option<Timestamp> as Time,
        /// Package that the host's own package list says it belongs to; forgeable by root.
        9 package: Option<Text> as Plain,
    }
}
