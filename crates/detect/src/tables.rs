//! Facts by kind, for detectors.

use calma_record::{Body, Fact, Kind, Record, RecordId, Run, Source, StreamName, Text, kinds::File};
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

/// A fact with where it stands in the case and where it was seen.
#[derive(Debug)]
pub struct Row<'a, K> {
    /// The record.
    pub id: &'a RecordId,
    /// Where it was seen.
    pub from: &'a Source,
    /// The fact.
    pub fact: &'a K,
}

impl<K> Clone for Row<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Row<'_, K> {}

impl<K> std::ops::Deref for Row<'_, K> {
    type Target = K;

    fn deref(&self) -> &K {
        self.fact
    }
}

/// A fact as it is kept.
type Seen = (RecordId, Source, Box<Fact>);

/// The facts of one or more streams by kind, and what the runs said of themselves.
#[derive(Debug, Default)]
pub struct Tables {
    kinds: BTreeMap<&'static str, Vec<Seen>>,
    run: Option<Run>,
    /// Where in its table the file of a path stands; made when it is first asked for.
    files: OnceLock<HashMap<Text, usize>>,
}

impl Tables {
    /// Takes in a record; those that are no facts are passed over.
    pub fn fold(&mut self, stream: &StreamName, record: Record) {
        match record.body {
            // Bulk kinds only stream past: kept in memory, a million files would take over 500 MB.
            Body::Fact { fact, .. } if fact.is_bulk() => {}
            Body::Fact { from, fact } => {
                self.files.take();
                let id = RecordId { stream: stream.clone(), seq: record.seq };
                self.kinds.entry(fact.kind()).or_default().push((id, from, fact));
            }
            Body::Run(run) => {
                self.run.get_or_insert(*run);
            }
            _ => {}
        }
    }

    /// All facts of a kind, in the order in which they were recorded.
    pub fn of<K: Kind>(&self) -> impl Iterator<Item = Row<'_, K>> {
        let rows = self.kinds.get(K::NAME).map(Vec::as_slice).unwrap_or_default();
        rows.iter().filter_map(|(id, from, fact)| Some(Row { id, from, fact: K::of(fact)? }))
    }

    /// The file described by this path; the last if several records describe it.
    pub fn file(&self, path: &Text) -> Option<Row<'_, File>> {
        let rows = self.kinds.get(File::NAME)?;
        let places = self.files.get_or_init(|| {
            let paths = rows.iter().enumerate();
            paths.filter_map(|(place, (_, _, fact))| Some((File::of(fact)?.path.clone(), place))).collect()
        });
        let (id, from, fact) = rows.get(*places.get(path)?)?;
        Some(Row { id, from, fact: File::of(fact)? })
    }

    /// How many facts of a kind there are.
    pub fn count<K: Kind>(&self) -> usize {
        self.kinds.get(K::NAME).map_or(0, Vec::len)
    }

    /// How many facts there are of the kind with this name.
    pub fn count_named(&self, kind: &str) -> usize {
        self.kinds.get(kind).map_or(0, Vec::len)
    }

    /// What the run said of itself.
    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }
}
