//! Words for whoever reads the journal: what there is no time for now. Nothing is asked of the host.

use crate::engine::History;
use calma_case::{Case, CaseError, now};
use calma_record::Text;
use calma_record::step::{Ended, Entry, Intent, Outcome, Step, Target, Undo, Way};
use serde_json::Value;

/// Words that were noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The words.
    pub words: String,
    /// Keys of the findings they are about.
    pub findings: Vec<String>,
}

/// Writes words into the case's journal, also about findings; the step's number and the seal's phrase.
///
/// # Errors
/// When the case can not be written.
pub fn note(case: &Case, words: &str, findings: &[String]) -> Result<(u64, String), CaseError> {
    let id = History::of(case.journal_entries()?).next_id();
    let mut journal = case.journal()?;
    let step = Step {
        number: 1,
        action: "note".to_owned(),
        target: Target::Words { text: words.to_owned() },
        story: 0,
        findings: findings.to_vec(),
        ticked: true,
        doubt: String::new(),
    };
    let (way, at, ended) = (Way::Do, now(), Ended::Done);
    let outcome = Outcome { id, way, at, ended, says: "noted".to_owned(), left: Value::Null };
    let intent = Intent { id, way, at, boot: Text::default(), step, undo: Undo::default() };
    journal.write(vec![Entry::Intent(Box::new(intent)), Entry::Outcome(Box::new(outcome))])?;
    Ok((id, journal.seal()?.phrase))
}

/// The notes of a case, oldest first.
///
/// # Errors
/// When the journal can not be read.
pub fn notes(case: &Case) -> Result<Vec<Note>, CaseError> {
    let history = History::of(case.journal_entries()?);
    let notes = history.steps().filter_map(|past| match &past.intent.step.target {
        Target::Words { text } => {
            Some(Note { words: text.clone(), findings: past.intent.step.findings.clone() })
        }
        _ => None,
    });
    Ok(notes.collect())
}
