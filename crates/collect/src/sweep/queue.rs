//! What is still to be walked and looked at, shared by the walking threads; bounded in descriptors and in memory.

use super::node::Node;
use super::seen::Swept;
use calma_host::Stat;
use calma_record::Text;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Files that wait for their examiners at most; further ones are looked at by whoever meets them.
const FILES: usize = 128;

/// A directory to be walked.
pub(super) struct Task {
    pub(super) node: Arc<Node>,
    /// The directory above, while not too many are held open; without it the way is gone again from the root.
    pub(super) above: Option<Arc<Swept>>,
    /// The directory itself, if only a part of its names was met so far: it, its names and directories so far.
    pub(super) begun: Option<(Arc<Swept>, u64, u64)>,
    /// Whether its file system is to be asked for.
    pub(super) ask: bool,
}

/// A file to be looked at.
pub(super) struct Job {
    pub(super) directory: Arc<Swept>,
    pub(super) name: Text,
    pub(super) stat: Stat,
    /// Which examiners want it, a bit each.
    pub(super) wanted: u64,
}

/// What a thread does next.
pub(super) enum Work {
    Walk(Task),
    Look(Job),
}

#[derive(Default)]
struct State {
    directories: Vec<Task>,
    later: VecDeque<Task>,
    files: VecDeque<Job>,
    active: usize,
    over: bool,
}

/// What one thread is at, so that one that hangs is noticed.
#[derive(Default)]
pub(super) struct Slot {
    /// Since when it is at it, and where.
    pub(super) at: Mutex<Option<(Instant, Place)>>,
    /// Whether it was given up.
    pub(super) lost: AtomicBool,
}

/// Where a thread is.
#[derive(Clone)]
pub(super) enum Place {
    /// It opens or lists this directory.
    Directory(Arc<Node>),
    /// It looks at this file.
    File(Arc<Swept>, Text),
}

impl Slot {
    pub(super) fn note(&self, place: Option<Place>) {
        let at = place.map(|place| (Instant::now(), place));
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

/// The queue.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// For who waits for the end alone: woken by each directory he would cost more than one.
    ended: Condvar,
    pub(super) paused: AtomicBool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds directories; the last one is walked first.
    pub(super) fn walk(&self, tasks: Vec<Task>) {
        if tasks.is_empty() {
            return;
        }
        let several = tasks.len() > 1;
        self.state().directories.extend(tasks);
        if several { self.changed.notify_all() } else { self.changed.notify_one() }
    }

    /// Adds a directory that is walked when all others are.
    pub(super) fn walk_later(&self, task: Task) {
        self.state().later.push_back(task);
    }

    /// Adds a file, or hands it back when enough wait.
    pub(super) fn look(&self, job: Job) -> Option<Job> {
        let mut state = self.state();
        if state.files.len() >= FILES {
            return Some(job);
        }
        state.files.push_back(job);
        drop(state);
        self.changed.notify_one();
        None
    }

    /// The next thing to do; `None` when all is done. Call [`Queue::done`] after it.
    pub(super) fn next(&self) -> Option<Work> {
        let mut state = self.state();
        loop {
            if state.over {
                return None;
            }
            if !self.paused.load(Ordering::Relaxed) {
                let work = state
                    .files
                    .pop_front()
                    .map(Work::Look)
                    .or_else(|| state.directories.pop().map(Work::Walk))
                    .or_else(|| {
                        // Only when nobody can add a directory any more.
                        if state.active == 0 { state.later.pop_front().map(Work::Walk) } else { None }
                    });
                if let Some(work) = work {
                    state.active += 1;
                    return Some(work);
                }
                if state.active == 0 {
                    state.over = true;
                    self.changed.notify_all();
                    self.ended.notify_all();
                    return None;
                }
            }
            let waited = self.changed.wait_timeout(state, Duration::from_millis(100));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A thread is done with what it took.
    pub(super) fn done(&self) {
        let mut state = self.state();
        state.active = state.active.saturating_sub(1);
        let idle = state.active == 0;
        drop(state);
        if idle {
            self.changed.notify_all();
            self.ended.notify_all();
        }
    }

    /// Nothing more is handed out.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.over = true;
        state.directories.clear();
        state.later.clear();
        state.files.clear();
        drop(state);
        self.changed.notify_all();
        self.ended.notify_all();
    }

    /// Waits until all is done, at most so long.
    pub(super) fn wait(&self, bound: Duration) -> bool {
        let state = self.state();
        if state.over && state.active == 0 {
            return true;
        }
        let (state, _) = self.ended.wait_timeout(state, bound).unwrap_or_else(PoisonError::into_inner);
        state.over && state.active == 0
    }
}
