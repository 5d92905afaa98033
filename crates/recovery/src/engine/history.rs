//! What the journal says of each step: folded from its entries, in the order in which they were written.

use calma_record::step::{Ended, Entry, Intent, Outcome, Way};
use serde_json::Value;
use std::collections::BTreeMap;

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// It was begun, and nobody knows how far it came.
    Doing,
    /// It is done.
    Done,
    /// It was carried out, but did not hold.
    NotHeld,
    /// It was refused, and nothing of it is left.
    Refused,
    /// Taking it back was begun, and nobody knows how far that came.
    Undoing,
    /// It was taken back.
    Undone,
    /// Taking it back did not work whole.
    NotUndone,
}

/// One step of the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// What was to be done.
    pub intent: Intent,
    /// What it noted and left, in order.
    pub notes: Vec<Value>,
    /// How doing it ended.
    pub done: Option<Outcome>,
    /// Whether taking it back was begun.
    pub undo_begun: bool,
    /// How taking it back ended.
    pub undone: Option<Outcome>,
}

impl Past {
    /// Where it stands.
    pub fn stands(&self) -> Stands {
        match (&self.done, self.undo_begun, &self.undone) {
            (.., Some(undone)) if undone.ended == Ended::Done => Stands::Undone,
            (.., Some(_)) => Stands::NotUndone,
            (_, true, None) => Stands::Undoing,
            (None, false, None) => Stands::Doing,
            (Some(done), false, None) => match done.ended {
                Ended::Done => Stands::Done,
                Ended::NotHeld => Stands::NotHeld,
                Ended::Refused => Stands::Refused,
            },
        }
    }

    /// Whether there is something to take back.
    pub fn can_be_undone(&self) -> bool {
        !matches!(self.stands(), Stands::Refused | Stands::Undone)
    }
}

/// Every step of a case's journal.
#[derive(Clone, Debug, Default)]
pub struct History {
    steps: BTreeMap<u64, Past>,
}

impl History {
    /// Folds the entries.
    pub fn of(entries: Vec<Entry>) -> Self {
        let mut history = Self::default();
        for entry in entries {
            match entry {
                Entry::Intent(intent) => history.promised(&[*intent]),
                Entry::Progress { id, note } => {
                    if let Some(past) = history.steps.get_mut(&id) {
                        past.notes.push(note);
                    }
                }
                Entry::Outcome(outcome) => history.ended(&outcome),
                Entry::Plan(_) | Entry::Refused { .. } => {}
            }
        }
        history
    }

    /// Takes in intents.
    pub(super) fn promised(&mut self, intents: &[Intent]) {
        for intent in intents {
            match (intent.way, self.steps.get_mut(&intent.id)) {
                (Way::Undo, Some(past)) => (past.undo_begun, past.undone) = (true, None),
                (Way::Do, Some(_)) | (Way::Undo, None) => {}
                (Way::Do, None) => {
                    let past = Past {
                        intent: intent.clone(),
                        notes: Vec::new(),
                        done: None,
                        undo_begun: false,
                        undone: None,
                    };
                    self.steps.insert(intent.id, past);
                }
            }
        }
    }

    /// Takes in an outcome.
    pub(super) fn ended(&mut self, outcome: &Outcome) {
        let Some(past) = self.steps.get_mut(&outcome.id) else { return };
        if !outcome.left.is_null() {
            past.notes.push(outcome.left.clone());
        }
        match outcome.way {
            Way::Do => past.done = Some(outcome.clone()),
            Way::Undo => (past.undo_begun, past.undone) = (true, Some(outcome.clone())),
        }
    }

    /// The number of the next step.
    pub(crate) fn next_id(&self) -> u64 {
        self.steps.last_key_value().map_or(1, |(id, _)| id.saturating_add(1))
    }

    /// A step.
    pub fn step(&self, id: u64) -> Option<&Past> {
        self.steps.get(&id)
    }

    /// All steps, oldest first.
    pub fn steps(&self) -> impl Iterator<Item = &Past> {
        self.steps.values()
    }

    /// The steps that a crash left in the middle, oldest first.
    pub fn open(&self) -> impl Iterator<Item = &Past> {
        self.steps().filter(|past| matches!(past.stands(), Stands::Doing | Stands::Undoing))
    }
}
