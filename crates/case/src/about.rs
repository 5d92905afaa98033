//! What a case is about: `case.json`.

use calma_record::{Text, Timestamp};
use serde::{Deserialize, Serialize};

/// The layout this version writes.
pub(crate) const FORMAT: u32 = 1;

/// What a case is about. Written once, when the case is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Version of the folder's layout.
    pub format: u32,
    /// Version of the calma that made the case.
    pub version: String,
    /// What is examined, as the user named it.
    pub target: Text,
    /// When the case was made, by the keeper's clock.
    pub created: Timestamp,
    /// What kind of place the case stands in.
    pub place: PlaceKind,
}

impl About {
    /// A case made now.
    pub fn new(version: impl Into<String>, target: impl Into<Text>, place: PlaceKind) -> Self {
        Self { format: FORMAT, version: version.into(), target: target.into(), created: now(), place }
    }
}

/// What kind of place a case stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceKind {
    /// Another machine than the examined one.
    Keeper,
    /// A removable disk at the examined machine.
    Removable,
    /// The examined machine's memory: gone at its next restart.
    Memory,
    /// A folder the user named.
    Named,
    /// A kind that a newer calma knows.
    #[serde(other)]
    Other,
}

/// The keeper's clock.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::new(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}
