//! Everything a case holds about its newest look, as rows that a view can show without knowing their kinds.

use crate::review::each_record;
use crate::sections::ABOUT_THE_LOOK;
use calma_case::{Case, CaseError};
use calma_record::{Blob, Body, Fact, Record, RecordId, Schema, Source, StreamName, kinds};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of one kind that are handed on; a report is for reading, the case keeps all.
const ROWS: usize = 120_000;

/// One fact as a row.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The record.
    pub record: RecordId,
    /// Where it was seen.
    pub from: Source,
    /// Its columns; those at their default are left out.
    pub columns: Map<String, Value>,
}

/// Everything about the newest look but the judgement.
#[derive(Debug, Default)]
pub struct Dossier {
    /// The columns of each kind, by name of the kind.
    pub schemas: BTreeMap<String, Schema>,
    /// The facts, by name of the kind.
    pub rows: BTreeMap<String, Vec<Seen>>,
    /// Facts that were left out because there are too many of their kind.
    pub left_out: BTreeMap<String, u64>,
    /// Pieces of evidence that were kept.
    pub pieces: Vec<Blob>,
    /// Milliseconds that the host's clock was ahead of the keeper's.
    pub ahead_ms: Option<i64>,
}

/// Reads the newest look of a case. Rows in `wanted` are kept whatever their number.
///
/// # Errors
/// When the case can not be read.
pub fn dossier(case: &Case, wanted: &BTreeSet<RecordId>) -> Result<Dossier, CaseError> {
    let mut dossier = Dossier::default();
    for schema in kinds::schemas() {
        dossier.schemas.insert(schema.kind.clone(), schema);
    }
    each_record(case, |stream, record| dossier.take(stream, record, wanted))?;
    Ok(dossier)
}

impl Dossier {
    fn take(&mut self, stream: &StreamName, record: &Record, wanted: &BTreeSet<RecordId>) {
        let id = || RecordId { stream: stream.clone(), seq: record.seq };
        match &record.body {
            // A schema of another version adds kinds and columns; it never takes a role from what is known here.
            Body::Schema(schema) => {
                let known = self.schemas.entry(schema.kind.clone()).or_insert_with(|| Schema::clone(schema));
                for column in &schema.columns {
                    if known.columns.iter().all(|known| known.name != column.name) {
                        known.columns.push(column.clone());
                    }
                }
            }
            Body::Fact { fact, .. } if ABOUT_THE_LOOK.contains(&fact.kind()) => {
                if let Fact::ClockOffset(offset) = fact.as_ref() {
                    self.ahead_ms = self.ahead_ms.or(Some(offset.ahead_ms));
                }
            }
            Body::Fact { from, fact } => {
                let kind = fact.kind();
                if !self.has_room(kind) && !wanted.contains(&id()) {
                    *self.left_out.entry(kind.to_owned()).or_default() += 1;
                    return;
                }
                // A fact is stored as an object with one member, named by its kind.
                let Ok(Value::Object(object)) = serde_json::to_value(fact) else { return };
                for (kind, columns) in object {
                    self.put(id(), from.clone(), kind, columns);
                }
            }
            Body::Unknown(Value::Object(body)) => {
                let Some(Value::Object(fact)) = body.get("fact") else { return };
                let from = fact.get("from").and_then(|from| serde_json::from_value(from.clone()).ok());
                let (Some(from), Some(Value::Object(is))) = (from, fact.get("is")) else { return };
                for (kind, columns) in is {
                    if self.has_room(kind) {
                        self.put(id(), Source::clone(&from), kind.clone(), columns.clone());
                    } else {
                        *self.left_out.entry(kind.clone()).or_default() += 1;
                    }
                }
            }
            Body::Blob(blob) => self.pieces.push(blob.clone()),
            _ => {}
        }
    }

    fn has_room(&self, kind: &str) -> bool {
        self.rows.get(kind).is_none_or(|rows| rows.len() < ROWS)
    }

    fn put(&mut self, record: RecordId, from: Source, kind: String, columns: Value) {
        if let Value::Object(columns) = columns {
            self.rows.entry(kind).or_default().push(Seen { record, from, columns });
        }
    }
}

/// A word of the report, explained.
#[derive(Clone, Debug)]
pub struct Term {
    /// What kind of word it is.
    pub group: &'static str,
    /// The word.
    pub name: String,
    /// What it means.
    pub means: String,
}

/// What calma looks at and for, from the collectors' and detectors' own cards.
pub fn glossary() -> Vec<Term> {
    let looked = calma_collect::ALL.iter().map(|collector| Term {
        group: "What calma looked at",
        name: collector.card.name.to_owned(),
        means: collector.card.doc.to_owned(),
    });
    let found = calma_detect::ALL.iter().map(|detector| Term {
        group: "What calma looked for",
        name: detector.card.name.to_owned(),
        means: detector.card.doc.to_owned(),
    });
    found.chain(looked).collect()
}
