//! Which process holds which socket: the links under /proc/PID/fd (proc(5)).

use super::{inode_of, numbers};
use crate::{Context, Patience};
use calma_host::{HostError, join};
use calma_record::Gap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Most descriptors that are looked at in one scan.
const MOST: usize = 2_000_000;
/// Processes kept for one socket.
const HOLDERS: usize = 16;

/// A socket's holders.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    /// Some of the processes.
    pub(crate) pids: Vec<u32>,
    /// How many there are.
    pub(crate) count: u32,
    /// The descriptor in the first one.
    pub(crate) descriptor: u32,
}

/// All sockets and network namespaces that processes hold open.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    /// Holders by the socket's inode number.
    pub(crate) sockets: HashMap<u64, Held>,
    /// Open network namespaces: inode number, process, descriptor.
    pub(crate) namespaces: Vec<(u64, u32, u32)>,
    /// What could not be read.
    pub(crate) gaps: Vec<Gap>,
}

/// One descriptor that matters here.
enum Open {
    Socket(u32, u64),
    Namespace(u32, u64),
}

impl Descriptors {
    /// Reads every process's links once; with `threads` also those of threads, whose tables may be their own.
    pub(crate) fn scan(context: &Arc<Context>, threads: bool) -> Self {
        const WHAT: &str = "open files of processes";
        let mut scan = Self::default();
        let mut patience = Patience::new(Duration::from_secs(1));
        let mut left = MOST;
        for pid in numbers(context.host.tree(), b"/proc").unwrap_or_default() {
            let shared = Arc::clone(context);
            match patience.call(move || of_process(&shared, pid, threads, left)) {
                Some((open, error)) => {
                    left = left.saturating_sub(open.len());
                    open.into_iter().for_each(|open| scan.add(pid, &open));
                    if let Some(error) = error.filter(|error| !error.is_missing()) {
                        let gap = Gap::new(WHAT, error.why()).at(error.place.as_bytes()).important();
                        scan.gaps.push(if error.is_denied() {
                            gap.instead("run calma as root, outside of any container")
                        } else {
                            gap
                        });
                    }
                }
                None => scan.gaps.push(
                    Gap::new(WHAT, "the kernel did not answer in time")
                        .at(format!("/proc/{pid}/fd"))
                        .important(),
                ),
            }
            if left == 0 {
                scan.gaps.push(Gap::new(WHAT, "there are more than calma looks at").important());
                break;
            }
        }
        scan
    }

    /// Whether every table was read, so that an unheld socket is really unheld.
    pub(crate) fn whole(&self) -> bool {
        self.gaps.is_empty()
    }

    fn add(&mut self, pid: u32, open: &Open) {
        match *open {
            Open::Namespace(descriptor, inode) => {
                if self.namespaces.len() < 4096 {
                    self.namespaces.push((inode, pid, descriptor));
                }
            }
            Open::Socket(descriptor, inode) => {
                let held = self.sockets.entry(inode).or_default();
                if held.pids.last() == Some(&pid) {
                    return;
                }
                if held.count == 0 {
                    held.descriptor = descriptor;
                }
                held.count += 1;
                if held.pids.len() < HOLDERS {
                    held.pids.push(pid);
                }
            }
        }
    }
}

/// A process's descriptors that could be read, and why others could not.
fn of_process(context: &Context, pid: u32, threads: bool, most: usize) -> (Vec<Open>, Option<HostError>) {
    let tree = context.host.tree();
    let mut found = Vec::new();
    let refused = links(context, format!("/proc/{pid}/fd").as_bytes(), most, &mut found).err();
    if threads {
        let tasks = format!("/proc/{pid}/task");
        let threads = numbers(tree, tasks.as_bytes()).unwrap_or_default();
        for task in threads.into_iter().filter(|task| *task != pid) {
            // A thread that ended meanwhile holds nothing.
            let _ = links(context, format!("{tasks}/{task}/fd").as_bytes(), most, &mut found);
        }
    }
    (found, refused)
}

fn links(context: &Context, directory: &[u8], most: usize, found: &mut Vec<Open>) -> Result<(), HostError> {
    let tree = context.host.tree();
    let mut refused = None;
    for entry in tree.list(directory)?.into_iter().take(most) {
        let Some(descriptor) = calma_formats::lines::decimal(entry.name.as_bytes()) else { continue };
        let target = match tree.link(&join(directory, entry.name.as_bytes())) {
            Ok(target) => target,
            Err(error) if error.is_missing() => continue,
            Err(error) => {
                refused.get_or_insert(error);
                continue;
            }
        };
        if let Some(inode) = inode_of(&target, b"socket") {
            found.push(Open::Socket(descriptor, inode));
        } else if let Some(inode) = inode_of(&target, b"net") {
            found.push(Open::Namespace(descriptor, inode));
        }
    }
    refused.map_or(Ok(()), Err)
}
