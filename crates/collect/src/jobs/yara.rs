//! Jobs: users' rules made ready, and searched for in files and in memory.

use calma_formats::yara::{self, Checked, Match, Pieces, RuleSet, Rules, Scanned, Subject, Window};
use calma_host::{Input, Kept, Question, Reply, Trouble, WorkerJob, Workers};
use calma_record::{Text, kinds};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// What of one file of rules can be used.
pub(super) const CHECK: WorkerJob =
    WorkerJob { name: "yara-check", patience: Duration::from_secs(60), most: 48 << 20, run: check };
/// Compiles the rules, once a worker.
pub(super) const RULES: WorkerJob =
    WorkerJob { name: "yara-rules", patience: Duration::from_secs(180), most: 64, run: rules };
/// Searches one file.
pub(crate) const FILE: WorkerJob =
    WorkerJob { name: "yara-file", patience: Duration::from_secs(30), most: 1 << 20, run: file };
/// Searches the memory of one process.
pub(crate) const MEMORY: WorkerJob =
    WorkerJob { name: "yara-memory", patience: Duration::from_secs(30), most: 1 << 20, run: memory };

/// Address space of a worker that holds rules.
const ROOM: u64 = 1 << 30;
/// A file up to this long is searched as a whole.
const WHOLE: u64 = 32 << 20;
/// A longer one in pieces of this length.
const PIECE: u64 = 16 << 20;
/// And no further than this.
const FURTHEST: u64 = 16 << 30;
/// The name the compiled rules are kept under.
const KEPT: &str = "yara";

/// What of a file of rules can be used, asked of a confined worker.
///
/// # Errors
/// When the worker gives no answer, for example because a rule takes too long to compile.
pub fn check_rules(workers: &Workers, text: Vec<u8>) -> Result<Checked, Trouble> {
    let answer = workers.ask(&CHECK, Question { words: text, file: None })?;
    serde_json::from_slice(&answer).map_err(|_| Trouble::Lied)
}

/// Workers like these that know the rules.
pub(crate) fn searchers(workers: &Workers, rules: &Arc<[u8]>) -> Workers {
    workers.others().with_memory(ROOM).with_setup(&RULES, Arc::clone(rules))
}

/// A search of memory: which parts of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct InMemory {
    /// The program, as rules may ask for it.
    pub(crate) subject: Subject,
    /// The parts, in order.
    pub(crate) windows: Vec<Window>,
}

/// A match as a fact, but for where it was.
pub(crate) fn match_fact(one: Match) -> kinds::RuleMatch {
    let place = |(name, places): (String, Vec<u64>)| {
        let places: Vec<String> = places.iter().map(|place| format!("{place:#x}")).collect();
        Text::from(format!("{name} at {}", places.join(", "))).to_string()
    };
    let printable = |text: String| Text::from(text).to_string();
    kinds::RuleMatch {
        rule: printable(one.rule),
        namespace: printable(one.namespace),
        tags: one.tags.into_iter().map(printable).collect(),
        severity: printable(one.severity),
        description: printable(one.description),
        strings: one.strings.into_iter().map(place).collect(),
        ..kinds::RuleMatch::default()
    }
}

fn check(_: &mut Kept, words: &[u8], _: Option<&mut dyn Input>, reply: &mut Reply) {
    // A reply that is too long is noticed by the reply itself, here and below.
    let _ = serde_json::to_writer(reply, &yara::check(words));
}

fn rules(kept: &mut Kept, words: &[u8], _: Option<&mut dyn Input>, reply: &mut Reply) {
    let set: RuleSet = serde_json::from_slice(words).unwrap_or_default();
    let (rules, _) = yara::compile(&set);
    let _ = write!(reply, "{}", rules.count());
    kept.put(KEPT, rules);
}

fn file(kept: &mut Kept, words: &[u8], file: Option<&mut dyn Input>, reply: &mut Reply) {
    let (Some(rules), Some(file)) = (kept.get::<Rules>(KEPT), file) else { return };
    let subject: Subject = serde_json::from_slice(words).unwrap_or_default();
    let size = file.size();
    let scanned = if size <= WHOLE {
        rules.search(&subject, &file.piece(0, usize::try_from(WHOLE).unwrap_or(usize::MAX)))
    } else {
        let windows: Vec<Window> = (0..size.min(FURTHEST).div_ceil(PIECE))
            .map(|n| Window { start: n * PIECE, length: PIECE.min(size - n * PIECE) })
            .collect();
        let mut scanned = rules.search_pieces(&subject, &windows, &mut Bytes(file));
        scanned.cut |= size > FURTHEST;
        scanned
    };
    let _ = serde_json::to_writer(reply, &scanned);
}

fn memory(kept: &mut Kept, words: &[u8], file: Option<&mut dyn Input>, reply: &mut Reply) {
    let (Some(rules), Some(file)) = (kept.get::<Rules>(KEPT), file) else { return };
    let InMemory { subject, windows } = serde_json::from_slice(words).unwrap_or_default();
    let scanned: Scanned = rules.search_pieces(&subject, &windows, &mut Bytes(file));
    let _ = serde_json::to_writer(reply, &scanned);
}

/// An input as pieces.
struct Bytes<'a>(&'a mut dyn Input);

impl Pieces for Bytes<'_> {
    fn read(&mut self, window: Window, into: &mut Vec<u8>) {
        let length = usize::try_from(window.length).unwrap_or(0);
        *into = self.0.piece(window.start, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_formats::yara::RuleFile;
    use calma_host::{Follow, Mem, Tree as _};

    #[test]
    fn rules_are_checked_compiled_once_and_searched_for() {
        let workers = Workers::in_place();
        let checked =
            check_rules(&workers, b"rule a { strings: $a = \"needle\" condition: $a }\nrule b {".to_vec())
                .unwrap();
        assert_eq!((checked.rules, checked.faults.len()), (1, 1));
        let files = vec![RuleFile { name: "a.yar".into(), text: checked.text }];
        let set = serde_json::to_vec(&RuleSet { files, own: Vec::new() }).unwrap();
        let searchers = searchers(&workers, &set.into());
        let large = [vec![b'x'; 40 << 20], b"needle".to_vec()].concat();
        let host = Mem::new().file("/a", "a needle").file("/b", "none").file("/large", large);
        for (path, found) in [("/a", 1), ("/b", 0), ("/large", 1)] {
            let words = serde_json::to_vec(&Subject { path: path.into() }).unwrap();
            let file = Some(host.open(path.as_bytes(), Follow::No).unwrap());
            let answer = searchers.ask(&FILE, Question { words, file }).unwrap();
            let scanned: Scanned = serde_json::from_slice(&answer).unwrap();
            assert_eq!(scanned.matches.len(), found, "{path}");
        }
    }
}
