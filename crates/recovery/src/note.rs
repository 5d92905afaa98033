//! Words of the administrator in the journal: what there is no time for now.

use crate::engine::History;
use calma_case::{Case, CaseError, now};
use calma_record::step::{Ended, Entry, Intent, Outcome, Step, Target, Undo, Way};

/// Writes words into the case's journal, also about a finding. Any case will do: nothing on the host is changed.
///
/// # Errors
/// When the journal can not be written.
pub fn note(case: &Case, words: &str, finding: Option<&str>) -> Result<u64, CaseError> {
    let mut journal = case.journal()?;
    let history = History::of(case.journal_entries()?);
    let id = history.steps().last().map_or(1, |past| past.intent.id.saturating_add(1));
    let step = Step {
        number: 0,
        action: "note".to_owned(),
        target: Target::Words { text: words.to_owned() },
        story: 0,
        findings: finding.map(str::to_owned).into_iter().collect(),
        ticked: true,
        doubt: String::new(),
    };
    let boot = calma_host::ground::boot();
    let intent = Intent { id, way: Way::Do, at: now(), boot, step, undo: Undo::default() };
    let outcome = Outcome {
        id,
        way: Way::Do,
        at: now(),
        ended: Ended::Done,
        says: "noted".to_owned(),
        left: serde_json::Value::Null,
    };
    journal.write(vec![Entry::Intent(Box::new(intent)), Entry::Outcome(Box::new(outcome))])?;
    journal.seal()?;
    Ok(id)
}

/// The notes of a case, oldest first: their words, and the finding each is about.
///
/// # Errors
/// When the journal can not be read.
pub fn notes(case: &Case) -> Result<Vec<(String, Option<String>)>, CaseError> {
    let history = History::of(case.journal_entries()?);
    let notes = history.steps().filter_map(|past| match &past.intent.step.target {
        Target::Words { text } => Some((text.clone(), past.intent.step.findings.first().cloned())),
        _ => None,
    });
    Ok(notes.collect())
}
