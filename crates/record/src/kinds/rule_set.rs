//! Kind: rules or a list of signs that the user gave.

use crate::{Digest, Text, kind::kind};

kind! {
    /// A file or folder of rules, or a list of signs, that the user gave to look for; noted by the keeper.
    RuleSet = "rule-set" {
        /// `yara` or `ioc`.
        1 what: String as Plain,
        /// Where it stood on the keeper's machine.
        2 path: Text as Plain,
        /// SHA-256 of what was used.
        3 digest: Option<Digest> as Digest,
        /// How many rules or signs were used.
        4 entries: u64 as Plain,
        /// How many could not be.
        5 faults: u64 as Plain,
    }
}
