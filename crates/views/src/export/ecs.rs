//! Elastic Common Schema: JSON lines, an alert for each finding and a state for each fact
//! (<https://www.elastic.co/guide/en/ecs/current/ecs-reference.html>).

use super::{Cited, Seen, microseconds, words};
use calma_record::{Finding, Role, Severity, Subject, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Version of the schema whose names are used.
const VERSION: &str = "8.11.0";

/// A document under construction: dotted names become objects in objects.
struct Document(Map<String, Value>);

impl Document {
    fn new(at: Timestamp, host: &str, kind: &str) -> Self {
        let mut document = Self(Map::new());
        document.put("@timestamp", microseconds(at).replace("+00:00", "Z").into());
        document.put("ecs.version", VERSION.into());
        document.put("host.name", host.into());
        document.put("event.kind", kind.into());
        document.put("event.module", "calma".into());
        document
    }

    fn put(&mut self, name: &str, value: Value) {
        let mut here = &mut self.0;
        let mut parts = name.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                here.insert(part.to_owned(), value);
                return;
            }
            let inner = here.entry(part).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(inner) = inner else { return };
            here = inner;
        }
    }
}

/// The alert of a finding. `at` is the moment of the look, by the host's clock.
pub fn alert(finding: &Finding, at: Timestamp, host: &str) -> Value {
    let mut document = Document::new(at, host, "alert");
    document.put("message", finding.title.clone().into());
    document.put("event.id", finding.key.clone().into());
    document.put("event.action", finding.detector.into());
    document.put("event.outcome", "unknown".into());
    document.put("event.reason", finding.why.clone().into());
    document.put("event.severity", severity(finding.severity).into());
    document.put("rule.name", finding.detector.into());
    if !finding.attack.is_empty() {
        document.put("threat.framework", "MITRE ATT&CK".into());
        document.put("threat.technique.id", json!(finding.attack));
    }
    let (mut hosts, mut users, mut paths, mut pids, mut units) =
        (BTreeSet::new(), BTreeSet::new(), Vec::new(), Vec::new(), Vec::new());
    for subject in &finding.subjects {
        match subject {
            Subject::Path(path) => paths.push(path.to_string()),
            Subject::Pid(pid) => pids.push(*pid),
            Subject::Address(address) => drop(hosts.insert(address.clone())),
            Subject::Account(name) => drop(users.insert(name.to_string())),
            Subject::Unit(name) => units.push(name.to_string()),
        }
    }
    for (name, value) in [
        ("file.path", paths.first().map(|path| json!(path))),
        ("process.pid", pids.first().map(|pid| json!(pid))),
        ("user.name", users.first().map(|name| json!(name))),
        ("service.name", units.first().map(|name| json!(name))),
        ("related.user", (!users.is_empty()).then(|| json!(users))),
        ("calma.addresses", (!hosts.is_empty()).then(|| json!(hosts))),
        ("calma.paths", (!paths.is_empty()).then(|| json!(paths))),
        ("calma.pids", (!pids.is_empty()).then(|| json!(pids))),
        ("calma.units", (!units.is_empty()).then(|| json!(units))),
    ] {
        if let Some(value) = value {
            document.put(name, value);
        }
    }
    document.put("calma.facts", json!(finding.facts));
    document.put("calma.innocent", finding.innocent.clone().into());
    document.put("calma.next", finding.next.clone().into());
    document.put("calma.certainty", json!(finding.certainty));
    document.put("calma.severity", json!(finding.severity));
    document.put("calma.story", finding.story.into());
    let records: Vec<Value> = finding
        .evidence
        .iter()
        .map(|evidence| {
            json!({
                "record": evidence.record.to_string(), "place": evidence.source.place, "shows": evidence.shows,
                "trust": evidence.source.forger,
            })
        })
        .collect();
    document.put("calma.evidence", json!(records));
    Value::Object(document.0)
}

/// The state of a fact.
pub fn state(seen: &Seen<'_>, at: Timestamp, host: &str, cited: &Cited) -> Value {
    let mut document = Document::new(at, host, "state");
    document.put("message", seen.message().into());
    document.put("event.action", seen.schema.kind.clone().into());
    document.put("event.dataset", format!("calma.{}", seen.schema.kind).into());
    document.put("event.id", seen.record.to_string().into());
    for (role, field) in [
        (Role::Pid, "process.pid"),
        (Role::Parent, "process.parent.pid"),
        (Role::Path, "file.path"),
        (Role::Account, "user.name"),
        (Role::Unit, "service.name"),
        (Role::Digest, "file.hash.sha256"),
    ] {
        let first =
            seen.first(role).map(|value| value.as_array().and_then(|all| all.first()).unwrap_or(value));
        if let Some(value) = first {
            document.put(field, value.clone());
        }
    }
    for (column, field) in [
        ("program", "process.executable"),
        ("started", "process.start"),
        ("modified", "file.mtime"),
        ("changed", "file.ctime"),
        ("born", "file.created"),
        ("size", "file.size"),
        ("inode", "file.inode"),
        ("protocol", "network.transport"),
    ] {
        if let Some(value) = seen.columns.get(column) {
            document.put(field, value.clone());
        }
    }
    addresses(seen, &mut document);
    let columns: BTreeMap<&String, Value> = seen
        .columns
        .iter()
        .map(|(name, value)| {
            // A list is a field of many values to Elastic; objects have no fixed type there.
            let value = if value.is_object() { words(value).into() } else { value.clone() };
            (name, value)
        })
        .collect();
    document.put(&format!("calma.{}", seen.schema.kind.replace('-', "_")), json!(columns));
    document.put("calma.place", seen.from.place.to_string().into());
    document.put("calma.trust", json!(seen.from.forger));
    document.put("calma.time_certainty", "the host's own clock".into());
    if let Some(findings) = cited.get(seen.record) {
        document.put("calma.findings", findings.iter().map(|(key, _)| json!(key)).collect());
    }
    Value::Object(document.0)
}

/// Own and peer's address: columns with the role, by what their names say of the direction.
fn addresses(seen: &Seen<'_>, document: &mut Document) {
    for (column, port, side) in [
        ("local", "local_port", "source"),
        ("remote", "remote_port", "destination"),
        ("from", "", "source"),
        ("to", "", "destination"),
    ] {
        let known =
            seen.schema.columns.iter().any(|known| known.name == column && known.role == Role::Address);
        let Some(text) = seen.text(column).filter(|_| known) else { continue };
        document.put(&format!("{side}.address"), text.into());
        let (host, behind) = match text.parse::<std::net::SocketAddr>() {
            Ok(address) => (Some(address.ip()), Some(u64::from(address.port()))),
            Err(_) => (text.parse().ok(), None),
        };
        if let Some(host) = host {
            document.put(&format!("{side}.ip"), host.to_string().into());
        }
        if let Some(port) = behind.or_else(|| seen.number(port)).filter(|port| *port > 0) {
            document.put(&format!("{side}.port"), port.into());
        }
    }
}

/// As Elastic's own alerts number it.
fn severity(severity: Severity) -> u32 {
    match severity {
        Severity::Critical => 99,
        Severity::High => 73,
        Severity::Medium => 47,
        Severity::Low | Severity::Info => 21,
    }
}
