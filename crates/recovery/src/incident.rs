//! Several hosts of one incident: what was met on more than one of them.

use crate::dossier::{Told, each_row, learn};
use calma_case::{Case, CaseError};
use calma_record::{Finding, RecordId, Role, Schema, Severity, Subject};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What kind of thing is shared, those that are hardest to share by chance first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tie {
    /// A content's SHA-256.
    Hash,
    /// A key's fingerprint.
    Key,
    /// A network address.
    Address,
    /// A unit of the service manager.
    Unit,
    /// An account.
    Account,
    /// A file.
    Path,
}

impl Tie {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Key => "key",
            Self::Address => "address",
            Self::Unit => "unit",
            Self::Account => "account",
            Self::Path => "path",
        }
    }
}

/// Something that was met on several hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct Shared {
    /// What kind of thing.
    pub link: Tie,
    /// Its value, printable.
    pub value: String,
    /// The worst finding about it; `None` if no finding names it.
    pub severity: Option<Severity>,
    /// The hosts by position, with the worst finding about it there.
    pub on: Vec<(usize, Option<Severity>)>,
}

type Seen = BTreeMap<(Tie, String), BTreeMap<usize, Option<Severity>>>;

/// What was met on more than one host, worst first. A hash, a key or an address counts wherever it was seen, if a
/// finding names it somewhere; a name that systems share by nature counts where a finding names it. Keys that open
/// accounts on several hosts are listed in any case.
///
/// # Errors
/// When a case can not be read.
pub fn shared(hosts: &[(&Case, &[Finding])]) -> Result<Vec<Shared>, CaseError> {
    let mut seen = Seen::new();
    let mut named: BTreeSet<(Tie, String)> = BTreeSet::new();
    for (host, (case, findings)) in hosts.iter().enumerate() {
        let cited = from_findings(host, findings, &mut seen);
        each_cell(case, |record, link, value| {
            if let Some(severity) = cited.get(record) {
                worse(&mut seen, (link, value.to_owned()), host, Some(*severity));
                named.insert((link, value.to_owned()));
            }
        })?;
    }
    named.extend(seen.iter().filter(|(_, on)| on.values().any(Option::is_some)).map(|(key, _)| key.clone()));
    for (host, (case, _)) in hosts.iter().enumerate() {
        each_cell(case, |_, link, value| {
            let key = (link, value.to_owned());
            if link == Tie::Key || named.contains(&key) {
                worse(&mut seen, key, host, None);
            }
        })?;
    }
    let mut out: Vec<Shared> = seen
        .into_iter()
        .filter(|(_, on)| on.len() > 1)
        .map(|((link, value), on)| Shared {
            link,
            value,
            severity: on.values().copied().max().flatten(),
            on: on.into_iter().collect(),
        })
        .collect();
    out.sort_by(|a, b| {
        let weight = |shared: &Shared| (shared.severity, shared.on.len());
        weight(b).cmp(&weight(a)).then_with(|| (a.link, &a.value).cmp(&(b.link, &b.value)))
    });
    Ok(out)
}

fn worse(seen: &mut Seen, key: (Tie, String), host: usize, severity: Option<Severity>) {
    let known = seen.entry(key).or_default().entry(host).or_default();
    *known = severity.max(*known);
}

/// Takes in what findings name, and returns the records they stand on.
fn from_findings<'a>(
    host: usize,
    findings: &'a [Finding],
    seen: &mut Seen,
) -> BTreeMap<&'a RecordId, Severity> {
    let mut cited = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.severity >= Severity::Low) {
        for (number, subject) in finding.subjects.iter().enumerate() {
            let key = match subject {
                // What a finding names beside its main thing is often a file that every system has.
                Subject::Path(path) if number == 0 => (Tie::Path, path.to_string()),
                Subject::Address(address) => match lone(address) {
                    Some(address) => (Tie::Address, address),
                    None => continue,
                },
                Subject::Account(name) if *name != "root" => (Tie::Account, name.to_string()),
                Subject::Unit(name) => (Tie::Unit, name.to_string()),
                _ => continue,
            };
            worse(seen, key, host, Some(finding.severity));
        }
        for evidence in &finding.evidence {
            let known = cited.entry(&evidence.record).or_insert(finding.severity);
            *known = finding.severity.max(*known);
        }
    }
    cited
}

/// Every digest, fingerprint and peer address of a case.
fn each_cell(case: &Case, mut each: impl FnMut(&RecordId, Tie, &str)) -> Result<(), CaseError> {
    let mut schemas: BTreeMap<String, Schema> = BTreeMap::new();
    each_row(case, |told| match told {
        Told::Kind(schema) => learn(&mut schemas, schema),
        Told::Row(kind, row) => {
            for column in schemas.get(kind).map(|schema| schema.columns.as_slice()).unwrap_or_default() {
                let link = match column.role {
                    Role::Digest => Tie::Hash,
                    Role::Address => Tie::Address,
                    _ if column.name == "fingerprint" => Tie::Key,
                    _ => continue,
                };
                for text in strings(&row.columns, &column.name) {
                    let value = if link == Tie::Address { lone(text) } else { Some(text.to_owned()) };
                    if let Some(value) = value {
                        each(&row.record, link, &value);
                    }
                }
            }
        }
        Told::Piece(_) | Told::Bulk(_) | Told::Ahead(_) => {}
    })
}

fn strings<'a>(columns: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    match columns.get(name) {
        Some(Value::String(text)) if !text.is_empty() => vec![text],
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The address alone, without port; `None` where it is that of every host.
fn lone(text: &str) -> Option<String> {
    let address: std::net::IpAddr =
        text.parse().ok().or_else(|| text.parse().ok().map(|socket: std::net::SocketAddr| socket.ip()))?;
    let same = address.is_loopback() || address.is_unspecified() || address.is_multicast();
    (!same).then(|| address.to_string())
}
