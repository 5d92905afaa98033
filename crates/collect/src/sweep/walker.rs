//! One thread of the walk.

use super::mounts::{self, Way};
use super::node::Node;
use super::queue::{Job, Place, Slot, Task, Work};
use super::{Listed, Neighbours, Seen, Shared, Swept, WHAT, rows};
use crate::walk::is_image_tree;
use crate::{Flow, Out};
use calma_host::{Cause, FileKind, HostError, Named, join};
use calma_record::Gap;
use std::hash::BuildHasher as _;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Directories held open before their subdirectories are reached from the root again.
const HELD: usize = 256;
/// Directories held open before one is read on to its end instead of being put aside.
const HELD_AT_ALL: usize = 384;
/// Deeper than this, or below a longer path, nothing is looked at.
const DEEPEST: usize = 8192;
const LONGEST: usize = 64 << 10;

impl Task {
    pub(super) fn new(node: Arc<Node>, above: Option<Arc<Swept>>, ask: bool) -> Self {
        Self { node, above, begun: None, ask }
    }
}

/// One thread of the walk.
pub(super) struct Walker {
    pub(super) shared: Arc<Shared>,
    pub(super) slot: Arc<Slot>,
    pub(super) out: Out,
    /// Room for the names of a directory, kept from one to the next.
    pub(super) names: Vec<Named>,
}

impl Walker {
    /// Works until nothing is left, or it is left behind itself.
    pub(super) fn work(&mut self) {
        let shared = Arc::clone(&self.shared);
        while let Some(work) = shared.queue.next() {
            let done = catch_unwind(AssertUnwindSafe(|| match work {
                Work::Walk(task) => self.walk(task),
                Work::Look(job) => self.look(&job),
            }));
            self.slot.note(None);
            if self.slot.lost.load(Ordering::Relaxed) {
                return;
            }
            let flow = done.unwrap_or_else(|_| {
                self.out.gap(Gap::new(WHAT, "calma failed inside; please report this").important())
            });
            if flow.is_break() {
                shared.queue.end();
            }
            shared.queue.done();
        }
    }

    /// Reads a directory, or a piece of it.
    fn walk(&mut self, mut task: Task) -> Flow {
        self.slot.note(Some(Place::Directory(Arc::clone(&task.node))));
        let (directory, mut count, mut directories) = match task.begun.take() {
            Some(begun) => begun,
            None => match self.enter(&task)? {
                Some(directory) => (directory, 0, 0),
                None => return self.out.flow(),
            },
        };
        drop(task.above);
        let shared = Arc::clone(&self.shared);
        let without = shared.mounts.without(directory.path());
        let mut whole = true;
        loop {
            self.slot.note(Some(Place::Directory(Arc::clone(&task.node))));
            let mut names = std::mem::take(&mut self.names);
            let more = match directory.handle.next(&without, &mut names) {
                Ok(more) => more,
                Err(error) => {
                    whole = false;
                    self.unseen(error, directory.path().to_vec())?;
                    false
                }
            };
            if self.slot.lost.load(Ordering::Relaxed) {
                return Flow::Break(());
            }
            count += names.len() as u64;
            shared.names.fetch_add(names.len() as u64, Ordering::Relaxed);
            let mut tasks = Vec::new();
            directories += self.children(&directory, &task.node, &names, &mut tasks)?;
            for piece in names.chunks(rows::NAMES) {
                self.out.fact(rows::source(), rows::row(&shared.context, &directory, piece))?;
            }
            let put_aside = more && shared.held.load(Ordering::Relaxed) < HELD_AT_ALL;
            if put_aside {
                let node = Arc::clone(&task.node);
                let begun = Some((Arc::clone(&directory), count, directories));
                tasks.insert(0, Task { node, above: None, begun, ask: false });
            }
            shared.queue.walk(tasks);
            self.show(&directory, &names)?;
            names.clear();
            self.names = names;
            if put_aside {
                return self.out.flow();
            }
            if !more {
                break;
            }
        }
        if whole {
            let listed = Listed { directory: &directory, names: count, directories };
            for examiner in &shared.examiners {
                examiner.listed(&listed, &mut self.out)?;
            }
        }
        self.out.flow()
    }

    /// Opens a directory, unless it is none to be walked.
    fn enter(&mut self, task: &Task) -> Given<Option<Arc<Swept>>> {
        let node = &task.node;
        if node.depth > DEEPEST || node.length > LONGEST {
            let gap = Gap::new(WHAT, "directories are nested too deep");
            let mut path = node.path();
            path.truncate(256);
            self.out.gap(gap.at(path))?;
            return Given::Continue(None);
        }
        let path = node.path();
        if is_image_tree(&path) {
            let gap = Gap::new("files of container images, snaps and nested systems", "not looked into yet");
            self.out.gap(gap.at(path))?;
            return Given::Continue(None);
        }
        let opened = match &task.above {
            Some(above) => above.handle.enter(node.name()),
            None => self.shared.context.host.tree().directory(&path),
        };
        let handle = match opened {
            Ok(handle) => handle,
            Err(error) => {
                self.unseen(error, path)?;
                return Given::Continue(None);
            }
        };
        if task.ask {
            let way = mounts::way_of_magic(handle.filesystem(), self.shared.context.options.network_mounts);
            if way != Way::Enter {
                if way == Way::Remote {
                    self.remote(path)?;
                }
                return Given::Continue(None);
            }
        }
        let stat = handle.stat();
        let first = !mounts::has_lasting_inodes(handle.filesystem()) || {
            let hash = self.shared.keys.hash_one((stat.device, stat.inode));
            self.shared.visited.lock().is_ok_and(|mut visited| visited.insert(hash))
        };
        Given::Continue(first.then(|| Swept::new(path, handle, &self.shared.held)))
    }

    /// Sorts out the directories among the names; gives how many there are.
    fn children(
        &mut self,
        directory: &Arc<Swept>,
        node: &Arc<Node>,
        names: &[Named],
        tasks: &mut Vec<Task>,
    ) -> Given<u64> {
        let hold = self.shared.held.load(Ordering::Relaxed) < HELD;
        let mut directories = 0;
        for named in names.iter().rev() {
            let name = named.name.as_bytes();
            let path = || join(directory.path(), name);
            let stat = match &named.stat {
                Ok(stat) if stat.kind() == FileKind::Directory => stat,
                Ok(_) => continue,
                Err(Cause::NotAsked) => {
                    directories += 1;
                    if self.shared.mounts.is_remote(&path()) {
                        self.remote(path())?;
                    }
                    continue;
                }
                Err(cause) => {
                    directories += u64::from(named.listed == Some(FileKind::Directory));
                    self.unseen(HostError::new("statx", b"", *cause), path())?;
                    continue;
                }
            };
            directories += 1;
            let way = self.shared.mounts.way(&path, stat, directory.stat());
            let below = || Node::below(node, name);
            match way {
                Way::Leave => {}
                Way::Remote => self.remote(path())?,
                Way::Later => self.shared.queue.walk_later(Task::new(below(), None, false)),
                Way::Enter | Way::Ask => {
                    let above = hold.then(|| Arc::clone(directory));
                    tasks.push(Task::new(below(), above, way == Way::Ask));
                }
            }
        }
        Given::Continue(directories)
    }

    /// Asks the examiners about names, and sees to it that those they want are looked at.
    fn show(&mut self, directory: &Arc<Swept>, names: &[Named]) -> Flow {
        let shared = Arc::clone(&self.shared);
        if shared.examiners.is_empty() {
            return self.out.flow();
        }
        let neighbours = Neighbours { directory, names, context: &shared.context };
        for examiner in &shared.examiners {
            examiner.together(&neighbours, &mut self.out)?;
        }
        for Named { name, stat, .. } in names {
            let Ok(stat) = stat else { continue };
            let seen = Seen::new(&shared.context, directory, name, stat);
            let mut wanted = 0_u64;
            for (number, examiner) in shared.examiners.iter().enumerate() {
                wanted |= u64::from(examiner.wants(&seen)) << number;
            }
            if wanted == 0 {
                continue;
            }
            let (directory, name, stat) = (Arc::clone(directory), name.clone(), stat.clone());
            let job = Job { directory, name, stat, wanted };
            if let Some(job) = shared.queue.look(job) {
                self.look(&job)?;
            }
        }
        self.out.flow()
    }

    /// Shows a file to those who want it.
    fn look(&mut self, job: &Job) -> Flow {
        self.slot.note(Some(Place::File(Arc::clone(&job.directory), job.name.clone())));
        let shared = Arc::clone(&self.shared);
        let seen = Seen::new(&shared.context, &job.directory, &job.name, &job.stat);
        for (number, examiner) in shared.examiners.iter().enumerate() {
            if job.wanted >> number & 1 == 1 {
                examiner.examine(&seen, &mut self.out)?;
            }
        }
        self.out.flow()
    }

    fn remote(&mut self, path: Vec<u8>) -> Flow {
        let what = "files of network and user-space file systems";
        let gap = Gap::new(what, "they may hang, and were not entered").at(path);
        self.out.gap(gap.instead("calma triage --network-mounts"))
    }

    fn unseen(&mut self, mut error: HostError, path: Vec<u8>) -> Flow {
        error.place = path.into();
        self.out.unseen(WHAT, &error)
    }
}

/// A value, or the end of the run.
type Given<T> = ControlFlow<(), T>;
