//! What makes a command that starts by itself worth a second look.

use super::{Files, calls, code, item, walk};
use calma_record::{Severity, Text};
use std::collections::BTreeSet;

/// What a command line weighs: how bad it is in all, the reasons in plain words, and the files it names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weight {
    /// How bad: medium for one strong reason, high for two or for one that nothing ordinary has; `None` if nothing is odd.
    pub severity: Option<Severity>,
    /// The reasons, worst first, each a short plain sentence.
    pub reasons: Vec<String>,
    /// The unusual files the command names or runs.
    pub paths: Vec<Text>,
}

impl Weight {
    /// Whether it is worth a finding: low or worse. A missing program alone is not.
    pub fn counts(&self) -> bool {
        self.severity >= Some(Severity::Low)
    }

    /// One reason of this severity.
    pub fn of(severity: Severity, reason: impl Into<String>) -> Self {
        Self { severity: Some(severity), reasons: vec![reason.into()], paths: Vec::new() }
    }

    /// Both weights as one: the worse severity, all reasons and paths.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.severity = self.severity.max(other.severity);
        self.reasons.extend(other.reasons.into_iter().filter(|reason| !reason.is_empty()));
        self.paths.extend(other.paths);
        let mut seen = BTreeSet::new();
        self.reasons.retain(|reason| seen.insert(reason.clone()));
        let mut seen = BTreeSet::new();
        self.paths.retain(|path| seen.insert(path.clone()));
        self
    }
}

/// How much one reason counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// Worth saying, no more.
    Note,
    /// Administrators do it too.
    Weak,
    /// Ordinary systems hardly have it.
    Strong,
    /// Nothing ordinary does it.
    Plain,
}

/// Collects reasons while a command is looked through.
pub(super) struct Scale<'a, 'f> {
    pub(super) files: &'a Files<'f>,
    pub(super) as_root: bool,
    /// Files that were looked at, so that scripts that run each other end.
    pub(super) seen: BTreeSet<Vec<u8>>,
    reasons: Vec<(Strength, String)>,
    paths: Vec<Text>,
}

impl<'a, 'f> Scale<'a, 'f> {
    pub(super) fn new(files: &'a Files<'f>, as_root: bool) -> Self {
        Self { files, as_root, seen: BTreeSet::new(), reasons: Vec::new(), paths: Vec::new() }
    }

    pub(super) fn reason(&mut self, strength: Strength, reason: impl Into<String>) {
        let reason = reason.into();
        if self.reasons.len() < 64 && !self.reasons.iter().any(|(_, known)| *known == reason) {
            self.reasons.push((strength, reason));
        }
    }

    pub(super) fn path(&mut self, path: &[u8]) {
        let path = Text::from(path);
        if self.paths.len() < 32 && path.as_bytes().starts_with(b"/") && !self.paths.contains(&path) {
            self.paths.push(path);
        }
    }

    /// How many reasons there are so far.
    pub(super) fn reasons(&self) -> usize {
        self.reasons.len()
    }

    pub(super) fn weight(mut self) -> Weight {
        let count = |strength| self.reasons.iter().filter(|(known, _)| *known == strength).count();
        let severity = match (count(Strength::Plain), count(Strength::Strong), count(Strength::Weak)) {
            (1.., ..) | (_, 2.., _) => Some(Severity::High),
            (_, 1, _) => Some(Severity::Medium),
            (_, _, 1..) => Some(Severity::Low),
            _ if self.reasons.is_empty() => None,
            _ => Some(Severity::Info),
        };
        self.reasons.sort_by_key(|(strength, _)| std::cmp::Reverse(*strength));
        Weight {
            severity,
            reasons: self.reasons.into_iter().map(|(_, reason)| reason).take(8).collect(),
            paths: self.paths,
        }
    }
}

/// Weighs a command line, or the text of a shell script, that runs by itself, as root or as somebody else. Scripts it runs
/// that no package owns are read too, as far as they were described.
pub fn command(files: &Files<'_>, command: &Text, as_root: bool) -> Weight {
    let mut scale = Scale::new(files, as_root);
    walk::text(&mut scale, command.as_bytes(), 0);
    scale.weight()
}

/// Weighs a file as a thing that is run or loaded: its place, its name, who may change it, and what it does if it is a
/// script that was described with its text.
pub fn file(files: &Files<'_>, path: &Text, as_root: bool) -> Weight {
    let mut scale = Scale::new(files, as_root);
    item::run(&mut scale, path.as_bytes(), 0);
    scale.weight()
}

/// Weighs what a file does, and who may change it, but not where it stands: for places that are hidden by their nature.
pub fn content(files: &Files<'_>, path: &Text, as_root: bool) -> Weight {
    let mut scale = Scale::new(files, as_root);
    item::content(&mut scale, path.as_bytes(), 0);
    scale.weight()
}

/// Weighs a line of a program in the language that the interpreter's name says, as it would stand behind `-c` or `-e`.
pub fn one_line(files: &Files<'_>, interpreter: &[u8], text: &Text, as_root: bool) -> Weight {
    let mut scale = Scale::new(files, as_root);
    if let Some(language) = code::language(interpreter) {
        code::weigh(&mut scale, language, text.as_bytes(), true);
        calls::weigh(&mut scale, language, text.as_bytes(), 1);
    }
    scale.weight()
}

/// Weighs an environment variable that is set for something that runs by itself: those that make programs load or run
/// other files (ld.so(8), bash(1), perlrun(1), python(1)).
pub fn variable(files: &Files<'_>, name: &[u8], value: &[u8], as_root: bool) -> Weight {
    let mut scale = Scale::new(files, as_root);
    item::variable(&mut scale, name, value, 0);
    scale.weight()
}
