//! What was tried while it was closed, and what this host alone can tell of it.

use crate::order::State;
use calma_host::Host;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What is to be tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prove {
    /// Where witnesses listen; none: no further than the next hop.
    pub witnesses: Vec<IpAddr>,
    /// How long to wait for what comes back, in milliseconds.
    pub wait: u64,
}

/// What became of one probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The way it tried.
    pub way: String,
    /// Where it went, in words.
    pub to: String,
}

/// Sends probes from every namespace that is cut.
pub fn observe(_: &dyn Host, _: &State, _: &Prove) -> Vec<Observed> {
    Vec::new()
}
