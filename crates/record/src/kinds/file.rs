//! Kind: a file that something points to.

use crate::{Digest, Text, Timestamp, kind::kind};

kind! {
    /// A file that a setting, a process or a mechanism points to, or that stands where a mechanism would look.
    File = "file" {
        /// Path on the examined system, as it was asked for.
        1 path: Text as Path,
        /// `file`, `directory`, `link`, `other`, or `missing` if nothing is there.
        2 what: String as Plain,
        /// Permission bits with set-id and sticky bits (07777).
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
        /// Inode number.
        10 inode: u64 as Plain,
        /// Device number.
        11 device: u64 as Plain,
        /// Package that the host's own package list says it belongs to; forgeable by root.
        12 package: Option<Text> as Plain,
        /// Whether the host has a package list that calma could read, so that no `package` means no owner.
        13 packages_known: bool as Plain,
        /// Where a link leads, as written.
        14 target: Option<Text> as Path,
        /// The path without any link.
        15 real: Option<Text> as Path,
        /// SHA-256 of the content, for files no package owns.
        16 digest: Option<Digest> as Digest,
        /// The text of a script or setting no package owns, or of one in /etc that administrators change: its first bytes, and
        /// its last ones if it is long.
        17 text: Option<Text> as Secret,
        /// Whether the immutable attribute is set.
        18 immutable: bool as Plain,
        /// Value of the security.capability attribute as hexadecimal digits, empty if there is none.
        19 capability: String as Plain,
        /// Whether it is an ELF object.
        20 elf: bool as Plain,
    }
}
