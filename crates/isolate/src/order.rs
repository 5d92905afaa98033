//! What is asked for, and how far it is.

use crate::Kept;
use crate::beat::Beat;
use crate::rules::Lease;
use calma_record::Text;
use calma_record::step::ProcessName;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// How far the network is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Filtered: the administrator's session stays.
    #[default]
    Filtered,
    /// Links down and radios off: from a console.
    LinksDown,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// How far.
    pub level: Level,
    /// Who is still spoken to.
    pub kept: Vec<Kept>,
    /// Leases that must be renewed for that.
    #[serde(default)]
    pub leases: Vec<Lease>,
    /// Ethernet types of the link that stay.
    #[serde(default)]
    pub link_types: Vec<u16>,
    /// Length of the trial in seconds; 0 for none (somebody sits at a console: it fails closed).
    pub trial: u64,
    /// The connection through which it was asked for, as `address port port`: a confirmation must come through another one.
    #[serde(default)]
    pub through: String,
    /// Who is told that the guard lives.
    #[serde(default)]
    pub beat: Option<Beat>,
    /// Whether it is to be isolated after a restart too, once it is confirmed.
    #[serde(default)]
    pub after_restart: bool,
    /// Whether this is that restart: devices may come later.
    #[serde(default)]
    pub restarted: bool,
    /// Do as on a kernel that does not take tables away with their owner (before Linux 5.12).
    #[serde(default)]
    pub without_owner: bool,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Closed until the trial ends; then everything opens by itself.
    #[default]
    Trial,
    /// Confirmed: only a person opens it.
    Held,
}

/// The tables' name in one namespace: `calma`, or another where somebody has that already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The namespace's inode number.
    pub inode: u64,
    /// The file that stands for it; empty for the one calma runs in.
    pub file: Text,
    /// Name of the tables that live with the guard.
    pub table: String,
    /// Name of the tables that stay when the guard is killed; they come with the confirmation.
    #[serde(default)]
    pub lasting: String,
    /// The devices that are cut, by name.
    pub devices: Vec<Text>,
}

/// What happened while it was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// When it was seen, in milliseconds since boot (CLOCK_BOOTTIME: no clock that somebody sets).
    pub at: u64,
    /// What it was, one sentence.
    pub what: String,
    /// How long the path may have been open, in milliseconds, where that is known: since it was last seen closed.
    #[serde(default)]
    pub open: Option<u64>,
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.open {
            Some(open) => write!(f, "{} (open for at most {open} ms)", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// All that is known of an isolation on the host: kept in /run, so that whoever comes next can tell and undo.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Version of this form.
    pub schema: u32,
    /// The order.
    pub order: Order,
    /// Where it stands.
    pub phase: Phase,
    /// The kernel's boot id; a state of another boot is none.
    pub boot: Text,
    /// Who holds it.
    pub guard: ProcessName,
    /// When it was closed, in milliseconds since boot.
    pub closed: u64,
    /// When the trial ends, in milliseconds since boot; 0 without one.
    pub ends: u64,
    /// What is cut.
    pub cuts: Vec<Cut>,
    /// Ports that are open to all again.
    #[serde(default)]
    pub open: Vec<u16>,
    /// What happened since.
    #[serde(default)]
    pub incidents: Vec<Incident>,
    /// How many incidents there were besides, when there are too many to keep.
    #[serde(default)]
    pub more: u64,
    /// What could not be cut or seen, one sentence each.
    #[serde(default)]
    pub gaps: Vec<String>,
    /// Programs of control groups that see packets: they stay where they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Programs that were put out of action. Only the guard holds what puts them back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub off: Vec<String>,
    /// What a release puts back, for one that finds no guard any more.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub put_back: Value,
}
