//! What could not be seen.

use crate::Text;
use serde::{Deserialize, Serialize};

/// Something calma could not see. "Not seen" is a result and is recorded as one.
///
/// Gaps of one cause are aggregated: `what` and `why` are the cause, `count` how often, `example` one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// What could not be seen, in plain words: "open files of other users' processes".
    pub what: String,
    /// Why, in plain words: "permission denied".
    pub why: String,
    /// How it can be seen all the same, or empty: "run calma as root, outside of any container".
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instead: String,
    /// How many things this gap stands for.
    pub count: u64,
    /// One place where it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Text>,
    /// Whether a verdict on the host must be taken with care because of it (exit code 3).
    #[serde(default)]
    pub important: bool,
}

impl Gap {
    /// A gap that stands for one thing.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
            instead: String::new(),
            count: 1,
            example: None,
            important: false,
        }
    }

    /// How the same can be seen all the same.
    #[must_use]
    pub fn instead(mut self, instead: impl Into<String>) -> Self {
        self.instead = instead.into();
        self
    }

    /// Where it happened.
    #[must_use]
    pub fn at(mut self, place: impl Into<Text>) -> Self {
        self.example = Some(place.into());
        self
    }

    /// Marks the gap as one that a verdict must mention.
    #[must_use]
    pub fn important(mut self) -> Self {
        self.important = true;
        self
    }

    /// Whether `other` has the same cause and may be counted together with this one.
    pub fn same_cause(&self, other: &Self) -> bool {
        self.what == other.what && self.why == other.why
    }
}
