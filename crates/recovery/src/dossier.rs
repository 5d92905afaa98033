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
#[derive(Debug)]
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

/// Something that is told while the newest look of a case is read.
#[derive(Debug)]
pub enum Told<'a> {
    /// The columns of a kind, before its first row. It may come again with more columns.
    Kind(&'a Schema),
    /// A fact, with its kind.
    Row(&'a str, Seen),
    /// One of very many facts that views pass over.
    Bulk(&'a Fact),
    /// A piece of evidence.
    Piece(&'a Blob),
    /// Milliseconds that the host's clock was ahead of the keeper's.
    Ahead(i64),
}

/// Reads the newest look of a case, row by row, whatever its kinds; also those of a later version.
///
/// # Errors
/// When the case can not be read.
pub fn each_row(case: &Case, mut each: impl FnMut(Told<'_>)) -> Result<(), CaseError> {
    known(&mut each);
    each_record(case, |stream, record| tell(stream, &record, &mut each))
}

/// A schema of another version adds kinds and columns; it never takes a role from what is known here.
fn known(each: &mut impl FnMut(Told<'_>)) {
    kinds::schemas().iter().for_each(|schema| each(Told::Kind(schema)));
}

fn tell(stream: &StreamName, record: &Record, each: &mut impl FnMut(Told<'_>)) {
    let id = || RecordId { stream: stream.clone(), seq: record.seq };
    match &record.body {
        Body::Schema(schema) => each(Told::Kind(schema)),
        Body::Fact { fact, .. } if ABOUT_THE_LOOK.contains(&fact.kind()) => {
            if let Fact::ClockOffset(offset) = fact.as_ref() {
                each(Told::Ahead(offset.ahead_ms));
            }
        }
        Body::Fact { fact, .. } if fact.is_bulk() => each(Told::Bulk(fact)),
        Body::Fact { from, fact } => {
            // A fact is stored as an object with one member, named by its kind.
            if let Ok(Value::Object(object)) = serde_json::to_value(fact) {
                rows(object, &id, from, each);
            }
        }
        Body::Unknown(Value::Object(body)) => {
            let Some(Value::Object(fact)) = body.get("fact") else { return };
            let from = fact.get("from").and_then(|from| serde_json::from_value::<Source>(from.clone()).ok());
            if let (Some(from), Some(Value::Object(is))) = (from, fact.get("is")) {
                rows(is.clone(), &id, &from, each);
            }
        }
        Body::Blob(blob) => each(Told::Piece(blob)),
        _ => {}
    }
}

fn rows(
    object: Map<String, Value>,
    id: &dyn Fn() -> RecordId,
    from: &Source,
    each: &mut impl FnMut(Told<'_>),
) {
    for (kind, columns) in object {
        if let Value::Object(columns) = columns {
            each(Told::Row(&kind, Seen { record: id(), from: from.clone(), columns }));
        }
    }
}

impl Default for Dossier {
    fn default() -> Self {
        let mut dossier = Self {
            schemas: BTreeMap::new(),
            rows: BTreeMap::new(),
            left_out: BTreeMap::new(),
            pieces: Vec::new(),
            ahead_ms: None,
        };
        known(&mut |told| dossier.put(told, &BTreeSet::new()));
        dossier
    }
}

impl Dossier {
    /// Takes a record of the newest look, or of a look that it continues.
    pub fn take(&mut self, stream: &StreamName, record: &Record) {
        tell(stream, record, &mut |told| self.put(told, &BTreeSet::new()));
    }

    /// This, if it holds all of `wanted`; else the case is read again, and rows in `wanted` are kept whatever their number.
    ///
    /// # Errors
    /// When the case can not be read.
    pub fn with(self, case: &Case, wanted: &BTreeSet<RecordId>) -> Result<Self, CaseError> {
        if self.left_out.is_empty() {
            return Ok(self);
        }
        dossier(case, wanted)
    }

    fn put(&mut self, told: Told<'_>, wanted: &BTreeSet<RecordId>) {
        match told {
            Told::Kind(schema) => learn(&mut self.schemas, schema),
            Told::Ahead(ms) => self.ahead_ms = self.ahead_ms.or(Some(ms)),
            Told::Piece(piece) => self.pieces.push(piece.clone()),
            Told::Bulk(_) => {}
            Told::Row(kind, row) => {
                // Known but for the first row of a kind: its name is not to be copied for each.
                if !self.rows.contains_key(kind) {
                    self.rows.insert(kind.to_owned(), Vec::new());
                }
                match self.rows.get_mut(kind) {
                    Some(rows) if rows.len() < ROWS || wanted.contains(&row.record) => rows.push(row),
                    _ => *self.left_out.entry(kind.to_owned()).or_default() += 1,
                }
            }
        }
    }
}

/// Reads the newest look of a case whole, for reading. Rows in `wanted` are kept whatever their number.
///
/// # Errors
/// When the case can not be read.
pub fn dossier(case: &Case, wanted: &BTreeSet<RecordId>) -> Result<Dossier, CaseError> {
    let mut dossier = Dossier::default();
    each_row(case, |told| dossier.put(told, wanted))?;
    Ok(dossier)
}

/// Takes a schema into what is known: new kinds and new columns, no other role for a known one.
pub fn learn(known: &mut BTreeMap<String, Schema>, schema: &Schema) {
    let known = known.entry(schema.kind.clone()).or_insert_with(|| schema.clone());
    for column in &schema.columns {
        if known.columns.iter().all(|known| known.name != column.name) {
            known.columns.push(column.clone());
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
