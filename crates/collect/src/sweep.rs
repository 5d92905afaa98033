//! One walk over the local file systems by several threads: every name once, with all its metadata, shown to every examiner.
//!
//! Memory is bounded whatever the tree: a directory is read in pieces, what waits costs a name each, descriptors are
//! counted, and what was seen streams out at once.

mod mounts;
mod node;
mod queue;
mod rows;
mod seen;
#[cfg(test)]
mod tests;
mod walker;

pub use seen::{Listed, Neighbours, Seen, Swept};

use crate::{Context, Examiner, Flow, Out};
use calma_host::Manners;
use calma_record::Gap;
use mounts::Mounts;
use node::Node;
use queue::{Place, Queue, Slot, Task};
use std::collections::HashSet;
use std::hash::RandomState;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use walker::Walker;

/// What a gap of the walk is about.
const WHAT: &str = "files of the local file systems";
/// A directory that gives no answer for this long is left behind.
const DIRECTORY: Duration = Duration::from_secs(15);
/// A file that its examiners are not done with after this long is left behind.
const FILE: Duration = Duration::from_secs(300);
/// So many threads may be left behind; after that nothing more is begun.
const MOST_LOST: usize = 16;
/// The walk rests for the host's own work at most this long in all.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// What the threads of a walk share.
struct Shared {
    context: Arc<Context>,
    examiners: Vec<Box<dyn Examiner>>,
    mounts: Mounts,
    queue: Queue,
    /// Directories held open.
    held: Arc<AtomicUsize>,
    /// Directories that were walked, as keyed hashes of device and inode.
    visited: Mutex<HashSet<u64>>,
    keys: RandomState,
    /// Names met.
    names: std::sync::atomic::AtomicU64,
}

/// Walks everything below `roots` that is local. Names are recorded; the examiners may be none.
///
/// # Errors
/// `Break` when the run is to end.
pub fn sweep(
    context: &Arc<Context>,
    roots: &[&[u8]],
    examiners: Vec<Box<dyn Examiner>>,
    out: &mut Out,
) -> Flow {
    // Read before the threads ask for it all at once.
    context.packages();
    let shared = Arc::new(Shared {
        context: Arc::clone(context),
        examiners,
        mounts: Mounts::read(context.host.as_ref(), context.options.network_mounts),
        queue: Queue::default(),
        held: Arc::default(),
        visited: Mutex::default(),
        keys: RandomState::new(),
        names: Default::default(),
    });
    let tasks = roots.iter().rev().map(|root| Task::new(Node::root(root), None, false));
    shared.queue.walk(tasks.collect());
    let threads = crate::share::threads(context.options.hurry);
    let mut crew = Crew { shared: Arc::clone(&shared), members: Vec::new(), lost: 0, rested: Duration::ZERO };
    for _ in 0..threads {
        crew.hire(out);
    }
    if crew.members.is_empty() {
        shared.queue.end();
        return out.gap(Gap::new(WHAT, "no thread could be started").important());
    }
    crew.oversee(out)?;
    for examiner in &shared.examiners {
        examiner.finish(out)?;
    }
    out.flow()
}

/// The walking threads, and who watches them.
struct Crew {
    shared: Arc<Shared>,
    members: Vec<(Arc<Slot>, JoinHandle<()>)>,
    lost: usize,
    rested: Duration,
}

impl Crew {
    fn hire(&mut self, out: &Out) {
        let slot = Arc::new(Slot::default());
        let mut walker = Walker {
            shared: Arc::clone(&self.shared),
            slot: Arc::clone(&slot),
            out: out.clone(),
            names: Vec::new(),
        };
        let manners = if self.shared.context.options.hurry { Manners::Prompt } else { Manners::Gentle };
        let work = move || {
            calma_host::behave(manners);
            walker.work();
        };
        if let Ok(handle) = std::thread::Builder::new().name("walk".to_owned()).spawn(work) {
            self.members.push((slot, handle));
        }
    }

    /// Waits for the end; leaves behind who hangs, and lets all rest while the host is short of memory or disk time.
    fn oversee(&mut self, out: &mut Out) -> Flow {
        let gentle = !self.shared.context.options.hurry && self.shared.context.host.kernel().is_some();
        let mut asked = Instant::now();
        while !self.shared.queue.wait(Duration::from_millis(200)) {
            if out.flow().is_break() {
                self.shared.queue.end();
                return Flow::Break(());
            }
            self.leave_behind(out)?;
            if self.members.is_empty() {
                self.shared.queue.end();
                return out.gap(Gap::new(WHAT, "too many directories did not answer").important());
            }
            if gentle && asked.elapsed() > Duration::from_secs(1) {
                let pressed =
                    self.rested < LONGEST_REST && calma_host::pressed(self.shared.context.host.tree());
                if self.shared.queue.paused.swap(pressed, Ordering::Relaxed) {
                    self.rested += asked.elapsed();
                }
                asked = Instant::now();
            }
        }
        for (_, handle) in self.members.drain(..) {
            // A panic inside was caught and told of there.
            let _ended = handle.join();
        }
        out.flow()
    }

    fn leave_behind(&mut self, out: &mut Out) -> Flow {
        let mut gaps = Vec::new();
        self.members.retain(|(slot, _)| {
            let at = slot.at.lock().map(|at| at.clone()).unwrap_or_default();
            let Some((since, place)) = at else { return true };
            let (bound, why) = match place {
                Place::Directory(_) => (DIRECTORY, "a directory did not answer within 15 seconds"),
                Place::File(..) => (FILE, "looking at one file did not end within five minutes"),
            };
            if since.elapsed() < bound {
                return true;
            }
            slot.lost.store(true, Ordering::Relaxed);
            let path = match &place {
                Place::Directory(node) => node.path(),
                Place::File(directory, name) => calma_host::join(directory.path(), name.as_bytes()),
            };
            gaps.push(Gap::new(WHAT, why).at(path).important());
            false
        });
        for gap in gaps {
            self.shared.queue.done();
            self.lost += 1;
            if self.lost < MOST_LOST {
                self.hire(out);
            }
            out.gap(gap)?;
        }
        out.flow()
    }
}
