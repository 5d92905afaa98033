//! Bounds for what the other end says: it may be the intruder by now.

use crate::side::{Errand, Report, SideError};
use calma_record::step::{Refusal, Undo};
use calma_record::{Digest, Text, printed};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What taking back one step needs, as JSON.
const MOST_UNDO: usize = 4 << 20;
/// One note, and what a step leaves.
const MOST_NOTE: usize = 1 << 20;
/// All notes of a batch.
const MOST_NOTES: usize = 64 << 20;
/// Characters of a sentence.
const SENTENCE: usize = 1000;
/// Bytes of a path (PATH_MAX of limits.h).
const PATH: usize = 4096;

/// A sentence from the other end: short, and without characters that would change how a terminal or a page shows it.
pub(super) fn clean(sentence: &str) -> String {
    let short: String = sentence.chars().take(SENTENCE).collect();
    printed(&short).into_owned()
}

/// A path from the other end, not longer than paths are.
pub(super) fn short(path: &Text) -> Text {
    path.as_bytes().get(..PATH).map_or_else(|| path.clone(), Text::from)
}

fn length(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len())
}

/// What became of looking at a step, within bounds.
pub(super) fn prepared(result: Result<Undo, Refusal>) -> Result<Undo, Refusal> {
    match result {
        Ok(undo) if length(&undo) > MOST_UNDO => {
            Err(Refusal::new("what taking it back needs is too much to be written down"))
        }
        Ok(undo) => Ok(undo),
        Err(refusal) => Err(Refusal { why: clean(&refusal.why), instead: clean(&refusal.instead) }),
    }
}

/// Every digest that the errands name: the pieces that their steps may need.
pub(super) fn digests(errands: &[Errand]) -> BTreeSet<Digest> {
    let mut found = BTreeSet::new();
    let values: Vec<Value> = errands.iter().map(|errand| errand.intent.undo.value()).collect();
    let mut todo: Vec<&Value> = values.iter().collect();
    while let Some(value) = todo.pop() {
        match value {
            Value::String(text) => found.extend(text.parse::<Digest>().ok()),
            Value::Array(values) => todo.extend(values),
            Value::Object(fields) => todo.extend(fields.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}

/// What may still be said about the errands that are under way.
pub(super) struct Allowance {
    /// Steps, and whether each has ended.
    steps: BTreeMap<u64, bool>,
    notes: usize,
}

impl Allowance {
    pub(super) fn new(errands: &[Errand]) -> Self {
        Self { steps: errands.iter().map(|errand| (errand.intent.id, false)).collect(), notes: MOST_NOTES }
    }

    fn open(&mut self, id: u64) -> Result<&mut bool, SideError> {
        let ended = self.steps.get_mut(&id).filter(|ended| !**ended);
        ended.ok_or(SideError::Lies("it spoke of a step that is not under way"))
    }

    pub(super) fn begins(&mut self, id: u64) -> Result<(), SideError> {
        self.open(id).map(drop)
    }

    pub(super) fn note(&mut self, id: u64, note: &Value) -> Result<(), SideError> {
        self.open(id)?;
        let length = length(note);
        self.notes = self
            .notes
            .checked_sub(length)
            .filter(|_| length <= MOST_NOTE)
            .ok_or(SideError::Lies("it notes more than a step can need"))?;
        Ok(())
    }

    /// A report within bounds.
    pub(super) fn ended(&mut self, report: Report) -> Result<Report, SideError> {
        *self.open(report.id)? = true;
        if length(&report.left) > MOST_NOTE {
            return Err(SideError::Lies("it left more than a step can need"));
        }
        Ok(Report { says: clean(&report.says), ..report })
    }

    /// Whether every step has ended.
    pub(super) fn is_over(&self) -> bool {
        self.steps.values().all(|ended| *ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_record::step::Ended;

    fn errand(id: u64, undo: Value) -> Errand {
        let intent = serde_json::json!({
            "id": id, "way": "do", "at": calma_case::now(), "undo": undo,
            "step": { "number": 1, "action": "note", "target": { "words": { "text": "x" } }, "ticked": true },
        });
        Errand { intent: serde_json::from_value(intent).unwrap(), notes: Vec::new() }
    }

    #[test]
    fn sentences_can_not_paint_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\nc\u{202e}d"), "a\\x1b[2Jb\\x0ac\\xe2\\x80\\xaed");
        assert_eq!(clean(&"x".repeat(5000)).len(), SENTENCE);
    }

    #[test]
    fn only_what_is_under_way_may_be_spoken_of() {
        let mut allowance = Allowance::new(&[errand(3, Value::Null)]);
        let report = |id| Report { id, ended: Ended::Done, says: "x".into(), left: Value::Null };
        assert!(allowance.begins(4).is_err() && allowance.note(4, &Value::Null).is_err());
        assert!(allowance.ended(report(5)).is_err() && !allowance.is_over());
        assert!(allowance.note(3, &Value::String("y".repeat(MOST_NOTE))).is_err());
        assert!(allowance.begins(3).is_ok() && allowance.ended(report(3)).is_ok() && allowance.is_over());
        assert!(allowance.ended(report(3)).is_err() && allowance.note(3, &Value::Null).is_err());
    }

    #[test]
    fn the_pieces_of_a_step_are_found_in_what_it_needs() {
        let digest = Digest::of(b"x");
        let undo = serde_json::json!({ "a": [{ "digest": digest, "size": 3 }], "b": "ab" });
        assert_eq!(digests(&[errand(1, undo)]), BTreeSet::from([digest]));
    }
}
