//! Kind: digests of a file, for lists of signs.

use crate::{Digest, Text, kind::kind};

kind! {
    /// The digests of one file, taken when the user gave a list with digests. Bulk: never kept in memory.
    FileDigests = "file-digests" {
        /// Path.
        1 path: Text as Path,
        /// Length in bytes.
        2 size: u64 as Plain,
        /// MD5 in hexadecimal digits.
        3 md5: String as Plain,
        /// SHA-1 in hexadecimal digits.
        4 sha1: String as Plain,
        /// SHA-256.
        5 sha256: Option<Digest> as Digest,
    }
}
