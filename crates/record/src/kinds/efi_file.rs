//! Kind: a file of the firmware's boot partition.

use crate::{Digest, Text, Timestamp, kind::kind};

kind! {
    /// A program of the partition from which the firmware starts (EFI system partition). No package list names its files.
    EfiFile = "efi-file" {
        /// Its path.
        1 path: Text as Path,
        /// What its first bytes say: `efi` for a program of the firmware, `elf`, `script`, `text`, `other`.
        2 what: String as Plain,
        /// Length in bytes.
        3 size: u64 as Plain,
        /// Last change.
        4 modified: Timestamp as Time,
        /// SHA-256 of its content.
        5 digest: Option<Digest> as Digest,
        /// A packaged file of this system with the same content, from which it was copied.
        6 copy_of: Option<Text> as Path,
    }
}
