//! What calma concludes: findings and the stories they make together.

use crate::{RecordId, Text};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How bad it is if it is what it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, nothing to do.
    Info,
    /// Probably yours; look when there is time.
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
    /// An intruder acts or can act with root's rights.
    Critical,
}

/// How sure calma is that it is what it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// There are ordinary explanations that are as likely.
    Possible,
    /// Ordinary explanations are less likely.
    Likely,
    /// Ordinary explanations are rare.
    VeryLikely,
    /// Nothing ordinary does this.
    Certain,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::VeryLikely => "very likely",
            Self::Certain => "certain",
        })
    }
}

/// Something on the host that a finding is about. Findings that share one may be one story.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A file, as a path on the examined system.
    Path(Text),
    /// A process.
    Pid(u32),
    /// A peer or listening address, `ADDRESS:PORT`.
    Address(String),
    /// An account.
    Account(Text),
    /// A unit of the service manager.
    Unit(Text),
}

/// How a finding points to the facts it stands on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// The record.
    pub record: RecordId,
    /// What was read to get it.
    pub source: crate::Source,
    /// What it shows, in a few words.
    pub shows: String,
}

/// One conclusion about the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Stable name: the same situation gives the same key in every run and every order of facts.
    pub key: String,
    /// Name of the detector.
    pub detector: &'static str,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub certainty: Certainty,
    /// ATT&CK technique ids.
    pub attack: Vec<&'static str>,
    /// One line, in plain words.
    pub title: String,
    /// What was seen, one short sentence a line.
    pub facts: Vec<String>,
    /// Why it matters.
    pub why: String,
    /// The innocent explanation; empty if there is none.
    pub innocent: String,
    /// The one next step.
    pub next: String,
    /// What it is about; the first is the main one.
    pub subjects: Vec<Subject>,
    /// What it stands on.
    pub evidence: Vec<Evidence>,
    /// The story it belongs to, from 1; 0 before stories were made.
    pub story: u32,
}

/// Findings that belong together: one intruder's process, its socket, its file and its persistence.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// Number shown to the user, from 1, worst first.
    pub number: u32,
    /// One line.
    pub title: String,
    /// Highest severity in it.
    pub severity: Severity,
    /// Highest certainty among the findings of that severity.
    pub certainty: Certainty,
    /// Positions in the list of findings, worst first.
    pub findings: Vec<usize>,
}
