//! Searching bytes for rules.

use super::Rules;
use super::engine::PLACES;
use boreal::memory::{FragmentedMemory, MemoryParams, Region, RegionDescription};
use boreal::scanner::{EvaluatedRule, FragmentedScanMode, ScanError, ScanResult, Scanner};
use boreal::{Metadata, MetadataValue};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Rules recorded of one file or process.
const RULES: usize = 64;
/// Strings recorded of one rule.
const STRINGS: usize = 8;
/// Letters kept of a rule's own words.
const WORDS: usize = 300;

/// What is searched, as far as rules may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Path, where there is one.
    pub path: String,
}

/// A rule that matched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Match {
    /// Its name.
    pub rule: String,
    /// Its file.
    pub namespace: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// How bad it is in the rule's own word: its `severity`, `threat_level`, `level` or `score`.
    pub severity: String,
    /// Its `description`.
    pub description: String,
    /// The first strings that were found, each with the places where it was.
    pub strings: Vec<(String, Vec<u64>)>,
}

/// What a search gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scanned {
    /// The rules that matched.
    pub matches: Vec<Match>,
    /// Whether it took too long, so that other rules may match too.
    pub cut: bool,
}

/// A piece of what is searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Where it begins.
    pub start: u64,
    /// Its length in bytes.
    pub length: u64,
}

/// Bytes that do not fit into memory at once, read a window at a time.
pub trait Pieces: Send {
    /// The bytes of a window, or fewer where they can not be read.
    fn read(&mut self, window: Window, into: &mut Vec<u8>);
}

impl Rules {
    /// How many rules there are.
    pub fn count(&self) -> usize {
        self.scanner.rules().count()
    }

    /// Searches a whole file. The rules' own files match nothing.
    pub fn search(&mut self, subject: &Subject, bytes: &[u8]) -> Scanned {
        self.name(subject);
        let length = bytes.len() as u64;
        if self.own.iter().any(|(own, _)| *own == length) {
            let digest = calma_record::Digest::of(bytes);
            if self.own.iter().any(|(_, own)| *own == digest) {
                return Scanned::default();
            }
        }
        scanned(&self.scanner, self.scanner.scan_mem(bytes))
    }

    /// Searches windows one after another, each read once. A string that reaches from one into the next is not found, and
    /// conditions on sizes and offsets do not hold.
    pub fn search_pieces<'a>(
        &mut self,
        subject: &Subject,
        windows: &'a [Window],
        pieces: &'a mut (dyn Pieces + 'a),
    ) -> Scanned {
        self.name(subject);
        let params = self.scanner.scan_params().clone();
        let mut scanner = self.scanner.clone();
        scanner.set_scan_params(
            params.fragmented_scan_mode(FragmentedScanMode::single_pass()).process_memory(true),
        );
        let memory = Memory { windows, next: 0, pieces: pieces.into(), buffer: Vec::new() };
        let result = scanner.scan_fragmented(memory);
        scanned(&scanner, result)
    }

    fn name(&mut self, subject: &Subject) {
        let path = subject.path.as_str();
        let name = path.rsplit('/').next().unwrap_or_default();
        let extension = name.rfind('.').and_then(|at| name.get(at..)).unwrap_or_default();
        // The names are defined for every compiler, and as text.
        let _ = self.scanner.define_symbol("filename", name);
        let _ = self.scanner.define_symbol("filepath", path);
        let _ = self.scanner.define_symbol("extension", extension);
    }
}

struct Memory<'a> {
    windows: &'a [Window],
    next: usize,
    pieces: std::sync::Mutex<&'a mut (dyn Pieces + 'a)>,
    buffer: Vec<u8>,
}

impl Memory<'_> {
    fn window(&self) -> Option<Window> {
        self.windows.get(self.next.checked_sub(1)?).copied()
    }
}

impl fmt::Debug for Memory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "window {} of {}", self.next, self.windows.len())
    }
}

impl FragmentedMemory for Memory<'_> {
    fn next(&mut self, _: &MemoryParams) -> Option<RegionDescription> {
        self.next = self.next.saturating_add(1);
        let window = self.window()?;
        let number = |n: u64| usize::try_from(n).ok();
        Some(RegionDescription { start: number(window.start)?, length: number(window.length)? })
    }

    fn fetch(&mut self, _: &MemoryParams) -> Option<Region<'_>> {
        let window = self.window()?;
        self.buffer.clear();
        if let Ok(pieces) = self.pieces.get_mut() {
            pieces.read(window, &mut self.buffer);
        }
        let start = usize::try_from(window.start).ok()?;
        (!self.buffer.is_empty()).then_some(Region { start, mem: &self.buffer })
    }

    fn reset(&mut self) {
        self.next = 0;
    }
}

fn scanned(scanner: &Scanner, result: Result<ScanResult<'_>, (ScanError, ScanResult<'_>)>) -> Scanned {
    let (result, cut) = match result {
        Ok(result) => (result, false),
        Err((_, result)) => (result, true),
    };
    let mut matches: Vec<Match> =
        result.rules.iter().take(RULES).map(|rule| matched(scanner, rule)).collect();
    matches.sort_by(|a, b| (&a.namespace, &a.rule).cmp(&(&b.namespace, &b.rule)));
    Scanned { matches, cut }
}

fn matched(scanner: &Scanner, rule: &EvaluatedRule<'_>) -> Match {
    let said = |names: &[&str]| {
        let said = |name: &str| {
            let named = |meta: &&Metadata| scanner.get_string_symbol(meta.name).eq_ignore_ascii_case(name);
            rule.metadatas.iter().find(named).map(|meta| words(scanner, meta.value))
        };
        names.iter().find_map(|name| said(name)).unwrap_or_default()
    };
    let found = rule.matches.iter().filter(|string| !string.matches.is_empty()).take(STRINGS);
    Match {
        rule: short(rule.name),
        namespace: short(rule.namespace),
        tags: rule.tags.iter().take(16).map(|tag| short(scanner.get_string_symbol(*tag))).collect(),
        severity: said(&["severity", "threat_level", "level", "score"]),
        description: said(&["description", "desc", "info"]),
        strings: found
            .map(|string| {
                let places = string.matches.iter().take(PLACES as usize);
                let places = places.map(|one| (one.base as u64).saturating_add(one.offset as u64)).collect();
                (format!("${}", short(string.name)), places)
            })
            .collect(),
    }
}

fn words(scanner: &Scanner, value: MetadataValue) -> String {
    match value {
        MetadataValue::Bytes(bytes) => short(&String::from_utf8_lossy(scanner.get_bytes_symbol(bytes))),
        MetadataValue::Integer(number) => number.to_string(),
        MetadataValue::Boolean(yes) => yes.to_string(),
    }
}

fn short(text: &str) -> String {
    text.chars().take(WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{RuleFile, RuleSet, compile};
    use super::*;
    use calma_record::Digest;

    fn rules(text: &str) -> Rules {
        let files = vec![RuleFile { name: "dir/x.yar".into(), text: text.into() }];
        let own = vec![(text.len() as u64, Digest::of(text.as_bytes()))];
        let (rules, left_out) = compile(&RuleSet { files, own });
        assert!(left_out.is_empty(), "{left_out:?}");
        rules
    }

    const TEXT: &str = "rule one : t1 t2 { meta: description = \"a thing\" severity = \"Low\" strings: $a = \"needle\" $b = /n.{2}dle/ condition: any of them }\n\
                        rule name { meta: score = 80 condition: filename == \"x.sh\" }";

    #[test]
    fn matches_say_which_rule_and_where() {
        let mut rules = rules(TEXT);
        assert_eq!(rules.count(), 2);
        let seen = rules.search(&Subject { path: "/a/b".into() }, b"hay needle hay needle");
        let one = &seen.matches[0];
        assert_eq!(
            (one.rule.as_str(), one.namespace.as_str(), one.severity.as_str()),
            ("one", "dir/x.yar", "Low")
        );
        assert_eq!(one.tags, ["t1", "t2"]);
        assert_eq!(one.strings[0], ("$a".to_owned(), vec![4, 15]));
        assert_eq!(rules.search(&Subject { path: "/a/x.sh".into() }, b"").matches[0].severity, "80");
        assert!(rules.search(&Subject::default(), b"hay").matches.is_empty());
        assert!(rules.search(&Subject::default(), TEXT.as_bytes()).matches.is_empty(), "its own text");
    }

    struct Value(Vec<u8>);

    impl Pieces for Value {
        fn read(&mut self, window: Window, into: &mut Vec<u8>) {
            let start = window.start as usize - 0x1000;
            into.extend_from_slice(self.0.get(start..start + window.length as usize).unwrap_or_default());
        }
    }

    #[test]
    fn windows_are_read_once_and_places_are_addresses() {
        let mut value = Value([b"x".repeat(100).as_slice(), b"needle", &b"y".repeat(94)].concat());
        let windows = [
            Window { start: 0x1000, length: 50 },
            Window { start: 0x1032, length: 150 },
            Window { start: 0x9000, length: 9 },
        ];
        let seen = rules(TEXT).search_pieces(&Subject::default(), &windows, &mut value);
        assert_eq!(seen.matches[0].strings[0], ("$a".to_owned(), vec![0x1064]));
    }
}
