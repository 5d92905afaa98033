//! Stand-ins for what may say who or where: secrets, accounts, addresses, host names, names below homes.
//!
//! Columns are judged by their role, not by their kind. Sentences and other free text are searched for what the columns
//! taught, and for anything that is shaped like an address or a path below a home. One original has one stand-in
//! everywhere; the list of both belongs into the case and never beside what is handed on.

mod ordinary;
mod place;
mod prose;

use calma_record::{Column, Finding, Role, Schema, Subject, Text};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Gives stand-ins, the same one for the same original.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    given: BTreeMap<String, String>,
    numbers: BTreeMap<String, u32>,
    /// Words that stand for somebody or something wherever they are met: accounts and hosts.
    words: BTreeMap<String, &'static str>,
    /// Home directories, the longest first.
    homes: BTreeSet<(std::cmp::Reverse<usize>, String)>,
    roles: BTreeMap<String, Arc<BTreeMap<String, Role>>>,
}

impl Redactor {
    /// One that goes on from an earlier list, so that its stand-ins stay the same in all that leaves a case.
    pub fn new(list: BTreeMap<String, String>) -> Self {
        let mut redactor = Self::default();
        for (stand_in, original) in list {
            if let Some((what, number)) = stand_in.rsplit_once('-')
                && let Ok(number) = number.split('.').next().unwrap_or_default().parse::<u32>()
            {
                let highest = redactor.numbers.entry(what.to_owned()).or_default();
                *highest = number.max(*highest);
                redactor.given.insert(format!("{what}\0{original}"), stand_in);
            }
        }
        for home in ["/home", "/root", "/export/home", "/Users", "/var/home"] {
            redactor.add_home(home);
        }
        redactor
    }

    /// Stand-in and original, for the list that stays in the case.
    pub fn list(&self) -> BTreeMap<String, String> {
        self.given
            .iter()
            .filter_map(|(key, stand_in)| Some((stand_in.clone(), key.split_once('\0')?.1.to_owned())))
            .collect()
    }

    /// A name by which the host is known.
    pub fn learn_host(&mut self, name: &str) {
        let name = name.rsplit_once('@').map_or(name, |(_, host)| host);
        for name in [name, name.split('.').next().unwrap_or_default()] {
            if name.len() > 2 && name.parse::<std::net::IpAddr>().is_err() && name != "localhost" {
                self.words.insert(name.to_owned(), "host");
            }
        }
    }

    /// The roles of a kind's columns. A schema never makes a known secret harmless: a host side may lie.
    pub fn learn_schema(&mut self, schema: &Schema) {
        let roles = Arc::make_mut(self.roles.entry(schema.kind.clone()).or_default());
        for Column { name, role, .. } in &schema.columns {
            let known = roles.entry(name.clone()).or_insert(*role);
            if *role == Role::Secret {
                *known = Role::Secret;
            }
        }
    }

    /// Takes in who and what a row names, so that it is known in free text. To be done with all rows before the first
    /// of them is redacted.
    pub fn learn(&mut self, kind: &str, columns: &Map<String, Value>) {
        let Some(roles) = self.roles.get(kind).cloned() else { return };
        for (name, value) in columns {
            match roles.get(name) {
                Some(Role::Account) => each_string(value, &mut |text| {
                    let text = text.trim_start_matches(['%', '#', '+', '!']);
                    let plain = text.chars().all(|c| c.is_alphanumeric() || "._-$".contains(c));
                    if text.len() > 2 && plain && !ordinary::account(text) {
                        self.words.insert(text.to_owned(), "account");
                    }
                }),
                Some(Role::Path) if name == "home" => each_string(value, &mut |home| {
                    let account =
                        columns.get("name").or_else(|| columns.get("account")).and_then(Value::as_str);
                    if home.matches('/').count() > 1 && account.is_some_and(|name| !ordinary::account(name)) {
                        self.add_home(home);
                    }
                }),
                _ => {}
            }
        }
    }

    fn add_home(&mut self, home: &str) {
        let home = home.trim_end_matches('/').to_owned();
        self.homes.insert((std::cmp::Reverse(home.len()), home));
    }

    /// The stand-in for `original`.
    fn stand_in(&mut self, what: &str, original: &str) -> String {
        let key = format!("{what}\0{original}");
        if let Some(given) = self.given.get(&key) {
            return given.clone();
        }
        let number = self.numbers.entry(what.to_owned()).or_default();
        *number += 1;
        let stand_in = format!("{what}-{number}");
        self.given.insert(key, stand_in.clone());
        stand_in
    }

    /// Replaces what has to be in a row, column by column. What a kind or a column means that is not known is taken for
    /// a secret.
    pub fn row(&mut self, kind: &str, columns: &mut Map<String, Value>) {
        let roles = self.roles.get(kind).cloned().unwrap_or_default();
        for (name, value) in columns.iter_mut() {
            let role = roles.get(name).copied().unwrap_or(Role::Secret);
            self.value(role, value);
        }
    }

    fn value(&mut self, role: Role, value: &mut Value) {
        match value {
            // A list of secrets is one: its words together are the command line.
            Value::Array(values) if role == Role::Secret && !values.is_empty() => {
                let whole: Vec<String> = values.iter().map(plain).collect();
                *value = self.secret(&whole.join(" ")).into();
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(role, value)),
            Value::String(text) => *text = self.by_role(role, text),
            Value::Object(_) => *value = self.secret(&value.to_string()).into(),
            Value::Number(_) if role == Role::Secret => *value = self.secret(&value.to_string()).into(),
            _ => {}
        }
    }

    fn by_role(&mut self, role: Role, text: &str) -> String {
        match role {
            _ if text.is_empty() => String::new(),
            Role::Secret => self.secret(text),
            Role::Account => self.account(text),
            Role::Address => self.address(text),
            Role::Path => self.path(text),
            Role::Time | Role::Digest => text.to_owned(),
            Role::Plain | Role::Unit | Role::Pid | Role::Parent => self.prose(text),
        }
    }

    fn secret(&mut self, text: &str) -> String {
        // A bare program is no secret, and the path says more than a number.
        if text.starts_with('/') && !text.contains([' ', '\t', '=', ':', '@', '?']) {
            return self.path(text);
        }
        self.stand_in("secret", text)
    }

    /// An account's name, as one stands in settings.
    pub fn account(&mut self, text: &str) -> String {
        let name = text.trim_start_matches(['%', '#', '+', '!']);
        let mark = text.get(..text.len() - name.len()).unwrap_or_default().to_owned();
        if name.is_empty() || ordinary::account(name) || name.chars().all(|c| c.is_ascii_digit()) {
            return text.to_owned();
        }
        format!("{mark}{}", self.stand_in("account", name))
    }

    /// Replaces what has to be in a finding. `secrets` are the secrets of the rows it stands on, since its sentences may
    /// quote them.
    pub fn finding(&mut self, finding: &mut Finding, secrets: &[String]) {
        let places: Vec<String> = finding
            .subjects
            .iter()
            .filter_map(
                |subject| if let Subject::Path(path) = subject { Some(path.to_string()) } else { None },
            )
            .chain(finding.evidence.iter().map(|evidence| evidence.source.place.to_string()))
            .filter(|place| place.contains([' ', '"', '\'', '(', '<', ';', ',']))
            .collect();
        let mut sentence = |text: &mut String| {
            for secret in secrets {
                *text = self.quoted(text, secret);
            }
            // A path with blanks in it is no word of a sentence: it is replaced as a whole.
            for place in &places {
                if text.contains(place.as_str()) {
                    *text = text.replace(place.as_str(), &self.path(place));
                }
            }
            *text = self.prose(text);
        };
        let Finding { title, facts, why, innocent, next, .. } = finding;
        [title, why, innocent, next].into_iter().chain(facts).for_each(&mut sentence);
        for evidence in &mut finding.evidence {
            sentence(&mut evidence.shows);
        }
        for evidence in &mut finding.evidence {
            evidence.source.place = self.text(&evidence.source.place);
        }
        for subject in &mut finding.subjects {
            match subject {
                Subject::Path(path) => *path = self.text(path),
                Subject::Address(address) => *address = self.address(address),
                Subject::Account(name) => *name = from_printed(&self.account(&name.to_string())),
                Subject::Unit(name) => *name = from_printed(&self.prose(&name.to_string())),
                Subject::Pid(_) => {}
            }
        }
    }

    /// Replaces what a sentence quotes of a secret, whole or cut short.
    fn quoted(&mut self, text: &str, secret: &str) -> String {
        let head: String = secret.chars().take(12).collect();
        if head.chars().count() < 6 || (secret.starts_with('/') && !secret.contains(' ')) {
            return text.to_owned();
        }
        let (mut out, mut rest) = (String::new(), text);
        while let Some(at) = rest.find(&head) {
            let (before, from) = rest.split_at(at);
            let same: usize =
                from.chars().zip(secret.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
            let shown = from.get(..same).unwrap_or_default().trim_end();
            out.push_str(before);
            // The program alone is not the command.
            if same < secret.len() && secret.starts_with('/') && !shown.contains(' ') {
                out.push_str(shown);
            } else {
                out.push_str(&self.stand_in("secret", secret));
            }
            rest = from.get(shown.len()..).unwrap_or_default();
        }
        out.push_str(rest);
        out
    }

    /// A path, or other words that came from the host.
    pub fn text(&mut self, text: &Text) -> Text {
        let shown = text.to_string();
        from_printed(&if shown.starts_with('/') { self.path(&shown) } else { self.prose(&shown) })
    }
}

/// The secrets in a row: each value, and lists joined as one reads a command line.
pub fn secrets(schema: &Schema, columns: &Map<String, Value>) -> Vec<String> {
    let mut out = Vec::new();
    for column in schema.columns.iter().filter(|column| column.role == Role::Secret) {
        match columns.get(&column.name) {
            Some(Value::Array(values)) => {
                let words: Vec<String> = values.iter().map(plain).collect();
                out.push(words.join(" "));
                out.extend(words);
            }
            Some(Value::String(text)) => {
                out.push(text.clone());
                // Of a setting `NAME=value` or a script, a sentence may quote a part.
                out.extend(text.split("\\n").map(str::to_owned));
            }
            _ => {}
        }
    }
    let parts: Vec<String> =
        out.iter().filter_map(|text| text.split_once('=')).map(|(_, value)| value.to_owned()).collect();
    out.extend(parts);
    out.retain(|text| text.len() > 5);
    out.sort_by_key(|text| std::cmp::Reverse(text.len()));
    out.dedup();
    out
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn from_printed(text: &str) -> Text {
    Text::from_escaped(text).unwrap_or_else(|| text.into())
}

fn each_string(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(values) => values.iter().for_each(|value| each_string(value, each)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
