//! Records as JSON lines, secret columns left out by role, whatever the kind.

use super::out;
use crate::keeper::Line;
use crate::{Case, CaseError};
use calma_record::frame::FrameKind;
use calma_record::{Body, Record, Role, Schema, StreamName, kinds};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

/// What stands in place of a secret.
const LEFT_OUT: &str = "(left out)";

/// Columns that may be shown, by kind.
#[derive(Default)]
struct Columns(BTreeMap<String, Known>);

#[derive(Default)]
struct Known {
    all: BTreeSet<String>,
    secret: BTreeSet<String>,
}

impl Columns {
    /// Takes a schema. One that calls a known secret harmless does not make it so: a host side may lie.
    fn learn(&mut self, schema: Schema) {
        let known = self.0.entry(schema.kind).or_default();
        for column in schema.columns {
            if column.role == Role::Secret {
                known.secret.insert(column.name.clone());
            }
            known.all.insert(column.name);
        }
    }

    /// Leaves out the secret and the unknown columns of a row.
    fn redact(&self, kind: &str, row: &mut Map<String, Value>) {
        let known = self.0.get(kind);
        for (column, value) in row {
            if known.is_none_or(|known| !known.all.contains(column) || known.secret.contains(column)) {
                *value = LEFT_OUT.into();
            }
        }
    }
}

pub(super) fn write(case: &Case, to: &mut dyn Write, secrets: bool) -> Result<(), CaseError> {
    let about = serde_json::to_value(case.about()).map_err(|error| out(error.into()))?;
    line(to, &json!({"type": "case", "about": about}))?;
    for stream in case.streams()? {
        let mut columns = Columns::default();
        kinds::schemas().into_iter().for_each(|schema| columns.learn(schema));
        let mut records = case.records(&stream)?;
        while let Some(frame) = records.frame()? {
            match frame.kind {
                FrameKind::Records => {
                    let text = frame.raw().map_err(|error| records.fault(error))?;
                    for text in text.split(|b| *b == b'\n').filter(|text| !text.is_empty()) {
                        let record: Value =
                            serde_json::from_slice(text).map_err(|error| out(error.into()))?;
                        self::record(to, &stream, record, &mut columns, secrets)?;
                    }
                }
                FrameKind::Keeper => {
                    let text = frame.raw().map_err(|error| records.fault(error))?;
                    for line in Line::parse(&text) {
                        if let Ok(Line::Note(note)) = line {
                            let note = serde_json::to_value(note).map_err(|error| out(error.into()))?;
                            self::record(to, &stream, note, &mut columns, secrets)?;
                        }
                    }
                }
                FrameKind::Chunk | FrameKind::Seal => {}
            }
        }
    }
    to.flush().map_err(out)
}

fn record(
    to: &mut dyn Write,
    stream: &StreamName,
    mut record: Value,
    columns: &mut Columns,
    secrets: bool,
) -> Result<(), CaseError> {
    if let Some(schema) = record.get("schema")
        && let Ok(schema) = serde_json::from_value(schema.clone())
    {
        columns.learn(schema);
    }
    if !secrets {
        redact(&mut record, columns);
    }
    line(to, &json!({"type": "record", "stream": stream.0, "record": record}))
}

/// Leaves out what may be a secret: columns by their role, and everything whose shape is not known.
fn redact(record: &mut Value, columns: &Columns) {
    let known = serde_json::from_value::<Record>(record.clone())
        .is_ok_and(|record| !matches!(record.body, Body::Unknown(_)));
    let Some(record) = record.as_object_mut() else { return };
    for (body, value) in record.iter_mut() {
        let rows = match body.as_str() {
            "seq" => continue,
            "fact" => value.get_mut("is").and_then(Value::as_object_mut),
            _ if known => continue,
            _ => None,
        };
        let Some(rows) = rows else {
            *value = LEFT_OUT.into();
            continue;
        };
        for (kind, row) in rows.iter_mut() {
            match row.as_object_mut() {
                Some(row) => columns.redact(kind, row),
                None => *row = LEFT_OUT.into(),
            }
        }
    }
}

fn line(to: &mut dyn Write, value: &Value) -> Result<(), CaseError> {
    serde_json::to_writer(&mut *to, value).map_err(|error| out(error.into()))?;
    to.write_all(b"\n").map_err(out)
}
