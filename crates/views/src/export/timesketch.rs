//! Timesketch: JSON lines, one for each instant of each fact
//! (<https://timesketch.org/guides/user/import-from-json-csv/>).

use super::{Cited, Seen, microseconds, words};
use calma_record::Role;
use serde_json::{Map, Value, json};

/// One line for each instant that the fact knows; none for a fact without time.
pub fn lines(seen: &Seen<'_>, host: &str, cited: &Cited) -> Vec<Value> {
    let mut out = Vec::new();
    for column in seen.schema.columns.iter().filter(|column| column.role == Role::Time) {
        let Some(at) = seen.time(&column.name) else { continue };
        let mut line = Map::new();
        for (name, value) in seen.columns {
            let value = match value {
                Value::Number(_) | Value::Bool(_) => value.clone(),
                other => words(other).into(),
            };
            line.insert(name.clone(), value);
        }
        let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
        put("message", seen.message().into());
        put("datetime", microseconds(at).into());
        put("timestamp", at.nanoseconds().div_euclid(1_000).into());
        put("timestamp_desc", described(&column.name).into());
        put("data_type", format!("calma:{}:{}", seen.schema.kind, column.name).into());
        put("hostname", host.into());
        put("calma_record", seen.record.to_string().into());
        put("calma_place", seen.from.place.to_string().into());
        put("calma_trust", seen.from.forger.to_string().into());
        if let Some(findings) = cited.get(seen.record) {
            let mut tags: Vec<String> = vec!["calma".to_owned()];
            tags.extend(
                findings.iter().filter(|(_, story)| *story > 0).map(|(_, story)| format!("story-{story}")),
            );
            tags.dedup();
            put("tag", json!(tags));
            put(
                "calma_findings",
                findings.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ").into(),
            );
        }
        out.push(Value::Object(line));
    }
    out
}

/// What an instant is, in the words that Plaso and Timesketch use where they have them.
fn described(column: &str) -> String {
    match column {
        "modified" => "Content Modification Time".to_owned(),
        "changed" => "Metadata Modification Time".to_owned(),
        "born" => "Creation Time".to_owned(),
        "accessed" => "Last Access Time".to_owned(),
        "started" | "since" => "Start Time".to_owned(),
        "installed" => "Installation Time".to_owned(),
        other => {
            let mut letters = other.chars();
            let first: String = letters.next().map(|c| c.to_ascii_uppercase()).into_iter().collect();
            format!("{first}{} Time", letters.as_str().replace('_', " "))
        }
    }
}
