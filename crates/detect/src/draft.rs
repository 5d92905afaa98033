//! A finding while its detector writes it.

use crate::{Card, Row};
use calma_record::{Certainty, Digest, Evidence, Finding, Severity, Subject, Text};

/// A finding while its detector writes it.
///
/// `identity` is what makes the situation the same in the next run: a path, a name with a start time, never a position or
/// a time of observation.
#[derive(Clone, Debug)]
#[must_use = "push it to the detector's drafts"]
pub struct Draft {
    severity: Severity,
    certainty: Certainty,
    identity: Vec<u8>,
    title: String,
    why: Option<String>,
    innocent: Option<String>,
    next: Option<String>,
    facts: Vec<String>,
    subjects: Vec<Subject>,
    evidence: Vec<Evidence>,
}

impl Draft {
    /// A finding of this severity and certainty about `identity`, with its one-line title.
    pub fn new(
        severity: Severity,
        certainty: Certainty,
        identity: impl AsRef<[u8]>,
        title: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            certainty,
            identity: identity.as_ref().to_vec(),
            title: title.into(),
            why: None,
            innocent: None,
            next: None,
            facts: Vec::new(),
            subjects: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// One short sentence of what was seen.
    pub fn saw(mut self, fact: impl Into<String>) -> Self {
        self.facts.push(fact.into());
        self
    }

    /// Several sentences of what was seen.
    pub fn saw_all(mut self, facts: impl IntoIterator<Item = String>) -> Self {
        self.facts.extend(facts);
        self
    }

    /// A file it is about. Name the file of the mechanism first, then what it runs.
    pub fn path(mut self, path: &Text) -> Self {
        self.subjects.push(Subject::Path(path.clone()));
        self
    }

    /// A process it is about.
    pub fn pid(mut self, pid: u32) -> Self {
        self.subjects.push(Subject::Pid(pid));
        self
    }

    /// An address it is about, `ADDRESS:PORT`.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.subjects.push(Subject::Address(address.into()));
        self
    }

    /// An account it is about.
    pub fn account(mut self, account: &Text) -> Self {
        self.subjects.push(Subject::Account(account.clone()));
        self
    }

    /// A unit it is about.
    pub fn unit(mut self, unit: &Text) -> Self {
        self.subjects.push(Subject::Unit(unit.clone()));
        self
    }

    /// A fact it stands on, and what that shows in a few words.
    pub fn from<K>(mut self, row: &Row<'_, K>, shows: impl Into<String>) -> Self {
        let (record, source) = (row.id.clone(), row.from.clone());
        self.evidence.push(Evidence { record, source, shows: shows.into() });
        self
    }

    /// Replaces the card's reason why it matters.
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Replaces the card's innocent explanation; empty if there is none.
    pub fn innocent(mut self, innocent: impl Into<String>) -> Self {
        self.innocent = Some(innocent.into());
        self
    }

    /// Replaces the card's next step.
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// The finished finding, with its stable key.
    pub(crate) fn finish(mut self, card: &'static Card) -> Finding {
        let mut seen = std::collections::BTreeSet::new();
        self.subjects.retain(|subject| seen.insert(subject.clone()));
        self.evidence.sort();
        let digest = Digest::of_all([card.name.as_bytes(), b"\0", &self.identity]).to_string();
        Finding {
            key: format!("{}-{}", card.name, digest.get(..12).unwrap_or_default()),
            detector: card.name,
            severity: self.severity,
            certainty: self.certainty,
            attack: card.attack.to_vec(),
            title: self.title,
            facts: self.facts,
            why: self.why.unwrap_or_else(|| card.why.to_owned()),
            innocent: self.innocent.unwrap_or_else(|| card.innocent.to_owned()),
            next: self.next.unwrap_or_else(|| card.next.to_owned()),
            subjects: self.subjects,
            evidence: self.evidence,
            story: 0,
        }
    }
}
