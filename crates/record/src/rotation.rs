//! What an intruder could take from a host to open something elsewhere, in the order in which it is to be changed.

use crate::{RecordId, Text};

/// Secrets of one sort: where to go, and why at this point of the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Stable name: `cloud`, `code`, ….
    pub name: &'static str,
    /// Where to go: "your cloud providers".
    pub place: &'static str,
    /// What to do there.
    pub how: &'static str,
    /// Why at this point of the order.
    pub why: &'static str,
    /// What one is called, and several: "cloud credential", "cloud credentials".
    pub noun: [&'static str; 2],
    /// Whether it opens something elsewhere; otherwise it is this server's own and changes with it.
    pub elsewhere: bool,
    /// The secrets, the ones that most people may read first.
    pub items: Vec<RotationItem>,
}

/// One secret of a [`Rotation`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RotationItem {
    /// Who may read it, worst first: 0 everybody, 1 a group, 2 its owner, 3 root.
    pub reach: u8,
    /// Where it stands.
    pub path: Text,
    /// What it is: "an OpenSSH private key, no passphrase".
    pub what: String,
    /// What is known of it in short sentences: who may read it, how old it is, what names it holds.
    pub known: Vec<String>,
    /// The process that holds it, if it is one.
    pub pid: Option<u32>,
    /// The record it stands on.
    pub record: RecordId,
}
