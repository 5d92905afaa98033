//! JSON lines: the stable, versioned machine output (docs/machine-output.md).

use crate::Page;
use base64::Engine as _;
use calma_record::{
    Body, Certainty, Evidence, Finding, Gap, Record, Rotation, Run, Severity, StreamName, Subject, Text,
};
use serde_json::{Value, json};

/// Version of the machine output.
pub const SCHEMA: u32 = 1;

/// The first line: known as soon as the look begins.
pub fn run(run: &Run, host: &str, case: &str) -> Value {
    json!({
        "type": "run", "schema": SCHEMA, "tool": "calma", "version": run.version, "host": host,
        "started": run.started, "case": case, "target": run.target, "command": run.command,
        "kernel": run.kernel, "uid": run.uid,
    })
}

/// One finding.
pub fn finding(finding: &Finding) -> Value {
    let mut paths = Vec::new();
    let mut raw = serde_json::Map::new();
    let (mut pids, mut addresses, mut accounts, mut units) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for subject in &finding.subjects {
        match subject {
            Subject::Path(path) => {
                keep_raw(path, &mut raw);
                paths.push(path.to_string());
            }
            Subject::Pid(pid) => pids.push(*pid),
            Subject::Address(address) => addresses.push(address.clone()),
            Subject::Account(name) => accounts.push(name.to_string()),
            Subject::Unit(name) => units.push(name.to_string()),
        }
    }
    let mut value = json!({
        "type": "finding", "key": finding.key, "story": finding.story, "detector": finding.detector,
        "severity": finding.severity, "certainty": certainty(finding.certainty), "attack": finding.attack,
        "title": finding.title, "facts": finding.facts, "why": finding.why, "innocent": finding.innocent,
        "next": finding.next, "paths": paths, "pids": pids, "addresses": addresses, "accounts": accounts,
        "units": units, "evidence": finding.evidence.iter().map(evidence).collect::<Vec<_>>(),
    });
    if let (false, Some(object)) = (raw.is_empty(), value.as_object_mut()) {
        object.insert("paths_raw".to_owned(), Value::Object(raw));
    }
    value
}

fn keep_raw(path: &Text, raw: &mut serde_json::Map<String, Value>) {
    if path.needs_escape() {
        let bytes = base64::engine::general_purpose::STANDARD.encode(path.as_bytes());
        raw.insert(path.to_string(), Value::String(bytes));
    }
}

fn certainty(certainty: Certainty) -> Value {
    json!(certainty)
}

fn evidence(evidence: &Evidence) -> Value {
    json!({
        "record": evidence.record.to_string(), "place": evidence.source.place, "shows": evidence.shows,
        "view": evidence.source.view, "trust": evidence.source.forger,
    })
}

/// One gap.
pub fn gap(gap: &Gap) -> Value {
    json!({
        "type": "gap", "what": gap.what, "why": gap.why, "instead": gap.instead, "count": gap.count,
        "example": gap.example, "important": gap.important,
    })
}

/// What could be opened elsewhere, one line for each place to go, in the order in which it is changed.
pub fn secrets(page: &Page) -> String {
    let mut out = format!("{}\n", run(&page.run, &page.host, &page.case));
    for (order, rotation) in (1..).zip(&page.rotations) {
        out.push_str(&format!("{}\n", self::rotation(order, rotation)));
    }
    out
}

/// One place to go, with the secrets that are changed there.
pub fn rotation(order: u32, rotation: &Rotation) -> Value {
    let items: Vec<Value> = rotation
        .items
        .iter()
        .map(|item| {
            let readers = ["everybody", "group", "owner", "root"].get(usize::from(item.reach));
            let mut value = json!({
                "path": item.path, "what": item.what, "known": item.known, "pid": item.pid,
                "readable_by": readers, "record": item.record.to_string(),
            });
            let mut raw = serde_json::Map::new();
            keep_raw(&item.path, &mut raw);
            if let (false, Some(object)) = (raw.is_empty(), value.as_object_mut()) {
                object.insert("paths_raw".to_owned(), Value::Object(raw));
            }
            value
        })
        .collect();
    json!({
        "type": "rotation", "order": order, "name": rotation.name, "place": rotation.place, "how": rotation.how,
        "why": rotation.why, "elsewhere": rotation.elsewhere, "items": items,
    })
}

/// The last line.
pub fn end(page: &Page) -> Value {
    json!({
        "type": "end",
        "findings": {
            "critical": page.count(Severity::Critical), "high": page.count(Severity::High),
            "medium": page.count(Severity::Medium), "low": page.count(Severity::Low),
            "info": page.count(Severity::Info),
        },
        "gaps": page.gaps.len(), "seconds": (page.seconds * 1000.0).round() / 1000.0, "complete": page.complete(),
        "phrase": page.phrase,
    })
}

/// One fact, with its columns; `None` if the record is no fact.
pub fn fact(stream: &StreamName, record: &Record) -> Option<Value> {
    let Body::Fact { from, fact } = &record.body else { return None };
    let mut value = json!({ "type": "fact", "record": format!("{}#{}", stream.0, record.seq), "from": from });
    if let (Some(object), Ok(Value::Object(columns))) = (value.as_object_mut(), serde_json::to_value(fact)) {
        // A fact is stored as an object with one member, named by its kind.
        for (kind, columns) in columns {
            object.insert("kind".to_owned(), Value::String(kind));
            if let Value::Object(columns) = columns {
                object.extend(columns);
            }
        }
    }
    Some(value)
}

/// All lines of a page, each ended by a newline.
pub fn lines(page: &Page) -> String {
    format!("{}\n{}", run(&page.run, &page.host, &page.case), rest(page))
}

/// All lines of a page but the first.
pub fn rest(page: &Page) -> String {
    let mut out = String::new();
    let values =
        page.findings.iter().map(finding).chain(page.gaps.iter().map(gap)).chain(std::iter::once(end(page)));
    for value in values {
        out.push_str(&value.to_string());
        out.push('\n');
    }
    out
}
