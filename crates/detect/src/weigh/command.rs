//! What makes a command that starts by itself worth a second look.

use crate::weigh::Files;
use calma_record::{Severity, Text};

/// What a command line weighs: how bad the worst reason is, the reasons in plain words, and the files it names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weight {
    /// Severity of the worst reason; `None` if nothing about it is odd.
    pub severity: Option<Severity>,
    /// The reasons, worst first, each a short plain sentence.
    pub reasons: Vec<String>,
    /// The unusual files the command names or runs.
    pub paths: Vec<Text>,
}

/// Weighs a command line that runs by itself, as root or as somebody else.
pub fn command(_files: &Files<'_>, _command: &Text, _as_root: bool) -> Weight {
    Weight::default()
}
