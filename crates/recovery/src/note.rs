//! Words for whoever reads the journal: what there is no time for now. Nothing is asked of the host.

use crate::engine::History;
use calma_case::{Case, CaseError, now};
use calma_record::Text;
use calma_record::step::{Ended, Entry, Intent, Outcome, Step, Target, Undo, Way};
use serde_json::Value;

/// Writes words into the case's journal, also about findings; the seal's phrase.
///
/// # Errors
/// When the case can not be written.
pub fn note(case: &Case, words: &str, findings: &[String]) -> Result<String, CaseError> {
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
    Ok(journal.seal()?.phrase)
}
