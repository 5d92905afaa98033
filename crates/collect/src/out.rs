//! Where collectors put what they see.

use crate::Context;
use calma_host::{HostError, Opened};
use calma_record::{Fact, Gap, Source, Text};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Whether to go on: `Break` when the run was stopped or this collector left behind.
pub type Flow = std::ops::ControlFlow<()>;

/// Something a collector saw.
#[derive(Debug)]
pub enum Item {
    /// A fact with its source.
    Fact(Source, Box<Fact>),
    /// Something that could not be seen.
    Gap(Gap),
    /// Bytes of a piece of evidence.
    Chunk(u32, Vec<u8>),
    /// A piece of evidence is complete; its digest is made where the chunks pass.
    Whole {
        /// Number of the piece.
        id: u32,
        /// What it is.
        what: String,
        /// Where it was.
        place: Text,
        /// Its process, if one.
        pid: Option<u32>,
        /// Whether the source ended early or changed.
        partial: bool,
    },
}

static NEXT_BLOB: AtomicU32 = AtomicU32::new(0);

/// A collector's way out: bounded, so that a slow reader slows the collector down rather than filling memory.
#[derive(Clone, Debug)]
pub struct Out {
    to: SyncSender<Item>,
    stop: Arc<AtomicBool>,
    facts: Arc<AtomicU64>,
}

impl Out {
    /// A way out and its other end, holding at most `bound` items between them. Setting `stop` ends the collector.
    pub fn new(bound: usize, stop: Arc<AtomicBool>) -> (Self, Receiver<Item>) {
        let (to, from) = sync_channel(bound);
        (Self { to, stop, facts: Arc::default() }, from)
    }

    /// How many facts went out.
    pub fn facts(&self) -> u64 {
        self.facts.load(Ordering::Relaxed)
    }

    /// The counter of facts, to be read when this end is gone.
    pub(crate) fn clone_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.facts)
    }

    /// Whether to go on.
    pub fn flow(&self) -> Flow {
        if self.stop.load(Ordering::Relaxed) { Flow::Break(()) } else { Flow::Continue(()) }
    }

    /// Puts out a fact.
    pub fn fact(&mut self, from: Source, fact: impl Into<Fact>) -> Flow {
        self.facts.fetch_add(1, Ordering::Relaxed);
        self.put(Item::Fact(from, Box::new(fact.into())))
    }

    /// Puts out a gap. Gaps of one cause are counted together later.
    pub fn gap(&mut self, gap: Gap) -> Flow {
        self.put(Item::Gap(gap))
    }

    /// Puts out a gap for `what`, with the host's reason; a thing that is simply not there is no gap.
    pub fn unseen(&mut self, what: &str, error: &HostError) -> Flow {
        if error.is_missing() {
            return self.flow();
        }
        let gap = Gap::new(what, error.why()).at(error.place.as_bytes());
        self.put(Item::Gap(if error.is_denied() {
            gap.instead("run calma as root, outside of any container")
        } else {
            gap
        }))
    }

    /// Sends an open file as evidence, whole, up to the case's bound for one piece.
    pub fn evidence(&mut self, what: &str, place: &[u8], pid: Option<u32>, file: &mut dyn Opened) -> Flow {
        const PIECE: u64 = 256 << 10;
        const LARGEST: u64 = 4 << 30;
        let id = NEXT_BLOB.fetch_add(1, Ordering::Relaxed);
        let expected = file.meta().size;
        let (mut sent, mut failed) = (0_u64, false);
        while sent < LARGEST {
            let mut piece = Vec::new();
            match (&mut *file).take(PIECE).read_to_end(&mut piece) {
                Ok(0) => break,
                Ok(length) => sent += length as u64,
                Err(_) => {
                    failed = true;
                    break;
                }
            }
            self.put(Item::Chunk(id, piece))?;
        }
        let partial = failed || sent != expected;
        self.put(Item::Whole { id, what: what.to_owned(), place: place.into(), pid, partial })
    }

    fn put(&mut self, item: Item) -> Flow {
        self.flow()?;
        // The other end is gone when this collector was left behind.
        self.to.send(item).map_or(Flow::Break(()), |()| Flow::Continue(()))
    }
}

/// Runs one collector to its end and returns what it saw, for tests of collectors and detectors.
pub fn gather(collector: &crate::Collector, context: &Arc<Context>) -> Vec<Item> {
    let (mut out, from) = Out::new(64, Arc::default());
    let (collect, context) = (collector.collect, Arc::clone(context));
    let worker = std::thread::spawn(move || collect(&context, &mut out));
    let items = from.iter().collect();
    // A panic in the collector is the test's to see.
    if let Err(panic) = worker.join() {
        std::panic::resume_unwind(panic);
    }
    items
}
