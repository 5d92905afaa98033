//! Users' rules in the YARA language: made ready for use, and searched for in bytes.
//!
//! The engine is `boreal`, which knows the language and modules of YARA 4.5. Rules come from people, and the bytes from
//! intruders, so both are handled in the confined worker. References: the YARA documentation, "Writing YARA rules".

mod check;
mod engine;
mod scan;
mod split;

pub use check::{Checked, Fault, check};
pub use engine::{Rules, compile};
pub use scan::{Match, Pieces, Scanned, Subject, Window};

use serde::{Deserialize, Serialize};

/// A file of rules. Its name is the namespace of its rules, so that rules of one name in two files do not meet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFile {
    /// Its path below the folder that was named.
    pub name: String,
    /// Its text, without what could not be used.
    pub text: String,
}

/// All rules of a run, as they go to the host side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSet {
    /// The files.
    pub files: Vec<RuleFile>,
    /// SHA-256 of each file as it was, with its length: the rules themselves are no finding.
    pub own: Vec<(u64, calma_record::Digest)>,
}
