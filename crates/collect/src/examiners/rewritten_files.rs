//! Examiner: many files that one cause renamed or rewrote, and notes left in many directories.

mod content;
mod notes;

use crate::sweep::Neighbours;
use crate::{Examiner, ExaminerCard, Flow, Out, Seen};
use calma_record::{Source, Text, Timestamp, kinds};
use content::Content;
use notes::Notes;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// This examiner.
pub(super) const EXAMINER: ExaminerCard = ExaminerCard {
    name: "rewritten-files",
    doc: "many files that one cause renamed or rewrote, and notes left in many directories",
    start: |_| Some(Box::new(RewrittenFiles::default())),
};

/// Fewer files than this of one kind are not recorded.
const FEWEST: u64 = 8;
/// Endings that are counted.
const ENDINGS: usize = 4096;
/// Files looked into of one ending, of one directory, and in all.
const SAMPLED: u64 = 64;
const SAMPLED_HERE: usize = 8;
const SAMPLED_AT_ALL: u64 = 20_000;
/// Files named as examples.
const EXAMPLES: usize = 8;
/// Shorter files show no statistics.
const SHORTEST: u64 = 512;

/// What is known of files of one ending, or of one kind.
#[derive(Clone, Debug, Default)]
struct Group {
    files: u64,
    directories: HashSet<u64>,
    sampled: u64,
    random: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    examples: BTreeSet<Text>,
    /// How the ones that were looked into begin.
    beginnings: HashSet<[u8; 2]>,
}

#[derive(Default)]
struct State {
    /// By new ending, and whether it stands behind a known one.
    renamed: HashMap<(bool, Vec<u8>), Group>,
    looked_into: u64,
    /// Files of known endings: how many were sampled, and which hold something else.
    sampled: u64,
    content: Group,
    notes: Notes,
}

#[derive(Default)]
struct RewrittenFiles {
    state: Mutex<State>,
}

impl RewrittenFiles {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn add(&mut self, seen: &Seen<'_>, example: bool) {
        self.files += 1;
        if self.directories.len() < 100_000 {
            self.directories.insert(seen.directory.stat().inode);
        }
        let modified = seen.stat.modified;
        self.first = Some(self.first.map_or(modified, |first| first.min(modified)));
        self.last = Some(self.last.map_or(modified, |last| last.max(modified)));
        if example {
            self.examples.insert(seen.path().into());
            // The same ones whatever the order of the walk.
            if self.examples.len() > EXAMPLES {
                self.examples.pop_last();
            }
        }
    }

    /// Whether there is enough to tell of it. Behind a known ending a new one is telling; alone it must hold random bytes
    /// that begin each in its own way, as no format does, and have come within hours.
    fn is_telling(&self, behind: bool) -> bool {
        const HOURS: i64 = 6 * 3600;
        let span = self.last.unwrap_or_default().seconds() - self.first.unwrap_or_default().seconds();
        let formless = self.beginnings.len() as u64 * 10 >= self.sampled * 8;
        self.files >= FEWEST
            && (behind
                || (self.sampled >= 4 && self.random * 10 >= self.sampled * 9 && formless && span <= HOURS))
    }

    fn fact(&self, what: &str, ending: &[u8]) -> kinds::RewrittenFiles {
        kinds::RewrittenFiles {
            what: what.to_owned(),
            ending: ending.into(),
            files: self.files,
            directories: self.directories.len() as u64,
            sampled: self.sampled,
            random: self.random,
            first: self.first.unwrap_or_default(),
            last: self.last.unwrap_or_default(),
            examples: self.examples.iter().cloned().collect(),
            ..kinds::RewrittenFiles::default()
        }
    }
}

impl Examiner for RewrittenFiles {
    /// Nothing is wanted one by one: what stands together is sampled.
    fn wants(&self, _: &Seen<'_>) -> bool {
        false
    }

    fn examine(&self, _: &Seen<'_>, out: &mut Out) -> Flow {
        out.flow()
    }

    fn together(&self, neighbours: &Neighbours<'_>, out: &mut Out) -> Flow {
        let (mut known_here, mut new_here) = (0, HashMap::<&[u8], usize>::new());
        for seen in neighbours.iter().filter(Seen::is_file) {
            let name = seen.name.as_bytes();
            if notes::may_be(name, seen.stat.size) && !neighbours.is_packaged_place() {
                self.state().notes.meet(&seen);
            }
            let Some((stem, ending)) = content::split(name) else { continue };
            if let Some(kind) = Content::of_ending(ending) {
                if known_here >= SAMPLED_HERE || seen.stat.size < SHORTEST || neighbours.is_packaged_place() {
                    continue;
                }
                known_here += 1;
                self.sample_known(&seen, kind);
            } else if content::may_be_new(ending) && !neighbours.is_packaged_place() && !seen.is_packaged() {
                let here = new_here.entry(ending).or_default();
                *here += 1;
                self.new_ending(&seen, ending, content::was_known(stem), *here <= SAMPLED_HERE);
            }
        }
        out.flow()
    }

    fn finish(&self, out: &mut Out) -> Flow {
        let state = std::mem::take(&mut *self.state());
        let source = || Source::owned_file("many files");
        let note = state.notes.loudest();
        let mut renamed: Vec<_> =
            state.renamed.into_iter().filter(|(key, group)| group.is_telling(key.0)).collect();
        renamed.sort_by(|a, b| b.1.files.cmp(&a.1.files).then_with(|| a.0.cmp(&b.0)));
        for ((behind, ending), group) in renamed.into_iter().take(64) {
            let mut fact = group.fact(if behind { "renamed" } else { "new" }, &ending);
            note.apply(&mut fact);
            out.fact(source(), fact)?;
        }
        if state.content.files >= FEWEST {
            let mut fact = state.content.fact("content", b"");
            fact.sampled = state.sampled;
            note.apply(&mut fact);
            out.fact(source(), fact)?;
        }
        if note.is_loud() {
            let mut fact = kinds::RewrittenFiles { what: "note".to_owned(), ..Default::default() };
            note.apply(&mut fact);
            out.fact(source(), fact)?;
        }
        out.flow()
    }
}

impl RewrittenFiles {
    /// A file with a known ending: does it hold what its ending says?
    fn sample_known(&self, seen: &Seen<'_>, kind: Content) {
        {
            let mut state = self.state();
            if state.sampled >= SAMPLED_AT_ALL {
                return;
            }
            state.sampled += 1;
        }
        let Ok(head) = seen.head() else { return };
        if !kind.fits(head) && content::is_random(head) {
            let mut state = self.state();
            state.content.random += 1;
            state.content.add(seen, true);
        }
    }

    /// A file with an unknown ending, perhaps behind a known one.
    fn new_ending(&self, seen: &Seen<'_>, ending: &[u8], behind: bool, sample: bool) {
        let key = (behind, ending.to_vec());
        let sample = {
            let mut state = self.state();
            if state.renamed.len() >= ENDINGS && !state.renamed.contains_key(&key) {
                return;
            }
            let room = state.looked_into < SAMPLED_AT_ALL;
            let group = state.renamed.entry(key.clone()).or_default();
            group.add(seen, true);
            let sample = sample && room && group.sampled < SAMPLED && seen.stat.size >= SHORTEST;
            group.sampled += u64::from(sample);
            state.looked_into += u64::from(sample);
            sample
        };
        if !sample {
            return;
        }
        let Ok(head) = seen.head() else { return };
        let (random, beginning) = (content::is_random(head), head.first_chunk::<2>().copied());
        let mut state = self.state();
        if let Some(group) = state.renamed.get_mut(&key) {
            group.random += u64::from(random);
            group.beginnings.extend(beginning);
        }
    }
}

#[cfg(test)]
mod tests;
