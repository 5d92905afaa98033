//! What one look at one host gave, as every view needs it.

use calma_record::{End, Finding, Gap, Rotation, Run, Severity, Story};

/// What one look at one host gave.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// What the host side said of itself.
    pub run: Run,
    /// How the stream ended; `None` if it was cut.
    pub end: Option<End>,
    /// Seconds the look took, by the keeper's clock.
    pub seconds: f64,
    /// How many of what were looked at: (214, "processes").
    pub counts: Vec<(u64, String)>,
    /// Findings, worst first.
    pub findings: Vec<Finding>,
    /// Stories, worst first.
    pub stories: Vec<Story>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// What could be opened elsewhere from this host, in the order in which it is changed.
    pub rotations: Vec<Rotation>,
    /// Things the user must know before anything else, a sentence each.
    pub notices: Vec<String>,
    /// Whether something was found that only a kernel that lies explains.
    pub kernel_in_doubt: bool,
    /// The case's folder, as the user would type it.
    pub case: String,
    /// Where the report stands, if one was written.
    pub report: Option<String>,
    /// The seal's phrase, once the stream is sealed.
    pub phrase: Option<String>,
    /// Words in front of a further command for this host: `calma` or `calma at root@web1`.
    pub command: String,
    /// Name of the host for the user: as he typed it, or its own name.
    pub host: String,
}

/// What keeps a look from being whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// Something important could not be seen.
    Unseen,
    /// The user stopped it.
    Interrupted,
}

impl Page {
    /// How many findings have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Whether anything needs the user: a finding of medium or higher.
    pub fn needs_you(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity >= Severity::Medium)
    }

    /// Whether every collector ran to its end.
    pub fn complete(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.complete)
    }

    /// Whether an important thing could not be seen.
    pub fn important_gap(&self) -> bool {
        !self.complete() || self.gaps.iter().any(|gap| gap.important)
    }
}
