//! The field's exchange formats, one line a thing, from the case alone.

pub mod bodyfile;
pub mod ecs;
pub mod timesketch;

use calma_record::{RecordId, Role, Schema, Source, Timestamp, printed};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One fact, as an export sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The kind and its columns.
    pub schema: &'a Schema,
    /// The record.
    pub record: &'a RecordId,
    /// Where it was seen.
    pub from: &'a Source,
    /// Its columns by name; what is missing is at its default.
    pub columns: &'a Map<String, Value>,
}

impl Seen<'_> {
    /// The first value of a column with this role.
    fn first(&self, role: Role) -> Option<&Value> {
        let columns = self.schema.columns.iter().filter(|column| column.role == role);
        columns.filter_map(|column| self.columns.get(&column.name)).find(|value| !words(value).is_empty())
    }

    fn text(&self, column: &str) -> Option<&str> {
        self.columns.get(column).and_then(Value::as_str)
    }

    fn number(&self, column: &str) -> Option<u64> {
        self.columns.get(column).and_then(Value::as_u64)
    }

    fn time(&self, column: &str) -> Option<Timestamp> {
        self.columns.get(column).and_then(|value| serde_json::from_value(value.clone()).ok())
    }

    /// What it is about, in a few words: `process: 4711 kworkerd /var/tmp/.x/kworkerd`.
    fn message(&self) -> String {
        let mut message = format!("{}:", self.schema.kind.replace('-', " "));
        let roles = [Role::Pid, Role::Unit, Role::Account, Role::Path, Role::Address];
        let mut said = Vec::new();
        let named = self.columns.get("name");
        for value in roles.iter().filter_map(|role| self.first(*role)).chain(named) {
            let text = words(value);
            if !said.contains(&text) {
                message.push(' ');
                message.push_str(&text);
                said.push(text);
            }
        }
        printed(&message).into_owned()
    }
}

/// Findings by the records they stand on: key and story of each.
pub type Cited = BTreeMap<RecordId, Vec<(String, u32)>>;

/// The findings of a page by the records they stand on.
pub fn cited(page: &crate::Page) -> Cited {
    let mut cited = Cited::new();
    for finding in &page.findings {
        for evidence in &finding.evidence {
            cited.entry(evidence.record.clone()).or_default().push((finding.key.clone(), finding.story));
        }
    }
    cited
}

/// A value in one line.
fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printed(text).into_owned(),
        Value::Array(values) => values.iter().map(words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// `2026-11-23T03:08:51.000000+00:00`
fn microseconds(at: Timestamp) -> String {
    let micro = at.nanoseconds().div_euclid(1_000).rem_euclid(1_000_000);
    let whole = Timestamp::new(at.seconds(), 0).to_string();
    format!("{}.{micro:06}+00:00", whole.trim_end_matches('Z'))
}
