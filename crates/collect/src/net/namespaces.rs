//! All network namespaces that can be found: through processes, threads, mounts and open files.

use super::{Descriptors, inode_of, numbers};
use crate::{Context, Flow, Out, Patience};
use calma_host::{Answer, Cause, HostError, Namespace, Request};
use calma_record::{Gap, Text};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Most namespaces that are looked at.
const MOST: usize = 1024;
/// Most mount namespaces whose mounts are read.
const MOUNTS: usize = 512;
/// Processes kept for one namespace.
const PIDS: usize = 32;

/// `ENOENT` (errno(3)).
const ENOENT: i32 = 2;

/// What the kernel answers in a namespace.
pub type Answers = Result<Vec<Result<Answer, HostError>>, HostError>;

/// One network namespace.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Inode number.
    pub inode: u64,
    /// Whether calma runs in it.
    pub own: bool,
    /// Whether the first process runs in it, or calma if the first process does not say.
    pub first: bool,
    /// The file that stands for it.
    pub file: Option<Text>,
    /// Some of its processes.
    pub pids: Vec<u32>,
    /// How many processes are in it.
    pub processes: u32,
    /// Where it is mounted.
    pub mounts: Vec<Text>,
    /// What it was found by.
    pub found: BTreeSet<&'static str>,
}

impl Known {
    /// Puts questions to the kernel in it. A process through which it was found may have ended meanwhile: then through
    /// another one.
    ///
    /// # Errors
    /// When it can not be entered, or there is no kernel; an inner error where one question was refused.
    pub fn ask(&self, context: &Context, requests: &[Request]) -> Answers {
        let ended = || HostError::new("setns", "network namespace", Cause::Errno(ENOENT));
        let kernel = context.host.kernel().ok_or_else(ended)?;
        if self.own {
            return kernel.network().ask(&Namespace::Own, requests);
        }
        let others = self.pids.iter().map(|pid| format!("/proc/{pid}/ns/net").into());
        let mut last = ended();
        for file in self.file.iter().cloned().chain(others) {
            match kernel.network().ask(&Namespace::At(file), requests) {
                Err(error) if error.is_missing() => last = error,
                answers => return answers,
            }
        }
        Err(last)
    }

    /// The folder under /proc that shows this namespace's tables, if a process is in it.
    pub(crate) fn proc_net(&self) -> Option<String> {
        if self.own {
            return Some("/proc/self/net".to_owned());
        }
        self.pids.first().map(|pid| format!("/proc/{pid}/net"))
    }
}

/// Every network namespace that can be found now: through processes, threads, mounts and open files.
pub fn network_namespaces(context: &Arc<Context>) -> Vec<Known> {
    Networks::find(context, &Descriptors::scan(context, false)).known.into_values().collect()
}

/// All network namespaces.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// By inode number.
    pub(crate) known: BTreeMap<u64, Known>,
    gaps: Vec<Gap>,
}

impl Networks {
    /// Finds them.
    pub(crate) fn find(context: &Arc<Context>, descriptors: &Descriptors) -> Self {
        let tree = context.host.tree();
        let link = |path: &str| tree.link(path.as_bytes()).ok().and_then(|target| inode_of(&target, b"net"));
        let own = link("/proc/self/ns/net").unwrap_or(0);
        let first = link("/proc/1/ns/net").unwrap_or(own);
        let mut networks = Self::default();
        networks.at(own).own = true;
        let mut patience = Patience::new(Duration::from_secs(1));
        let mut mount_namespaces = BTreeSet::new();
        for pid in numbers(tree, b"/proc").unwrap_or_default() {
            let shared = Arc::clone(context);
            if let Some(seen) = patience.call(move || of_process(&shared, pid)) {
                networks.add_process(pid, seen);
            }
            let Ok(mounts) = tree.link(format!("/proc/{pid}/ns/mnt").as_bytes()) else { continue };
            if mount_namespaces.len() < MOUNTS && mount_namespaces.insert(mounts) {
                let shared = Arc::clone(context);
                let mounted = patience.call(move || of_mounts(&shared, pid));
                networks.add_mounts(pid, mounted.unwrap_or_default());
            }
        }
        networks.add_mounts(0, of_mounts(context, 0));
        for (inode, pid, descriptor) in &descriptors.namespaces {
            let known = networks.at(*inode);
            known.found.insert("open file");
            known.file.get_or_insert_with(|| format!("/proc/{pid}/fd/{descriptor}").into());
        }
        if networks.known.len() > MOST {
            networks.known = std::mem::take(&mut networks.known)
                .into_iter()
                .enumerate()
                .filter_map(|(at, (inode, known))| {
                    (at < MOST || inode == own || inode == first).then_some((inode, known))
                })
                .collect();
            networks.gaps.push(Gap::new("some network namespaces", "there are more than calma looks at"));
        }
        if let Some(known) = networks.known.get_mut(&first) {
            known.first = true;
        }
        networks
    }

    fn at(&mut self, inode: u64) -> &mut Known {
        self.known.entry(inode).or_insert_with(|| Known { inode, ..Known::default() })
    }

    fn add_process(&mut self, pid: u32, seen: Seen) {
        match seen {
            Seen::Gone => {}
            Seen::Refused(gap) => self.gaps.push(gap),
            Seen::In(main, threads) => {
                let known = self.at(main);
                known.found.insert("process");
                known.processes += 1;
                known.file.get_or_insert_with(|| format!("/proc/{pid}/ns/net").into());
                if known.pids.len() < PIDS {
                    known.pids.push(pid);
                }
                for (inode, thread) in threads {
                    let known = self.at(inode);
                    known.found.insert("thread");
                    known.file.get_or_insert_with(|| format!("/proc/{pid}/task/{thread}/ns/net").into());
                }
            }
        }
    }

    fn add_mounts(&mut self, pid: u32, mounts: Vec<(u64, Text)>) {
        for (inode, place) in mounts {
            let known = self.at(inode);
            known.found.insert("mount");
            let seen_from_here = match pid {
                0 => place.clone(),
                _ => [format!("/proc/{pid}/root").as_bytes(), place.as_bytes()].concat().into(),
            };
            known.file.get_or_insert(seen_from_here);
            if known.mounts.len() < 8 && !known.mounts.contains(&place) {
                known.mounts.push(place);
            }
        }
    }

    /// Reports what could not be seen.
    pub(crate) fn report(&self, out: &mut Out) -> Flow {
        self.gaps.iter().try_for_each(|gap| out.gap(gap.clone()))
    }
}

/// What one process says of its namespaces.
enum Seen {
    Gone,
    Refused(Gap),
    /// Its own, and those of threads that are elsewhere.
    In(u64, Vec<(u64, u32)>),
}

fn of_process(context: &Context, pid: u32) -> Seen {
    let tree = context.host.tree();
    let target = match tree.link(format!("/proc/{pid}/ns/net").as_bytes()) {
        Ok(target) => target,
        Err(error) if error.is_missing() => return Seen::Gone,
        Err(error) => {
            let gap = Gap::new("the network namespace of processes", error.why()).at(error.place.as_bytes());
            return Seen::Refused(if error.is_denied() {
                gap.instead("run calma as root, outside of any container")
            } else {
                gap
            });
        }
    };
    let Some(main) = inode_of(&target, b"net") else { return Seen::Gone };
    let mut elsewhere = Vec::new();
    for thread in numbers(tree, format!("/proc/{pid}/task").as_bytes()).unwrap_or_default() {
        if thread == pid {
            continue;
        }
        let link = tree.link(format!("/proc/{pid}/task/{thread}/ns/net").as_bytes());
        if let Some(inode) = link.ok().and_then(|target| inode_of(&target, b"net"))
            && inode != main
        {
            elsewhere.push((inode, thread));
        }
    }
    Seen::In(main, elsewhere)
}

/// Network namespaces mounted in the mount namespace of a process; 0 is calma itself.
fn of_mounts(context: &Context, pid: u32) -> Vec<(u64, Text)> {
    let who = if pid == 0 { "self".to_owned() } else { pid.to_string() };
    match context.host.tree().read(format!("/proc/{who}/mountinfo").as_bytes(), 8 << 20) {
        Ok(content) => calma_formats::namespace_mounts::network(&content.bytes),
        Err(_) => Vec::new(),
    }
}
