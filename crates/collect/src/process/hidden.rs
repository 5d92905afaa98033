//! Processes that answer although the listing of /proc leaves them out.
//!
//! Processes come and go while they are counted, so a difference between two views means nothing by itself. A process is
//! reported only if the same process (held by its handle, or with the same start time) is seen again and again by a system
//! call or named by the kernel elsewhere, while each complete listing in between leaves it out.

use super::named::{self, Named};
use super::{Surroundings, file, listed, observe, without_mark};
use crate::{Context, Flow, Out};
use calma_formats::{mountinfo, process_stat, process_status};
use calma_host::{Asking, Follow, Held, Processes, Tree};
use calma_record::{Gap, Source, View, kinds};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

/// How often a candidate is looked for again.
const ROUNDS: u32 = 5;
/// Time between two looks.
const BETWEEN: Duration = Duration::from_millis(25);
/// Ids that a thread asks about before it sees whether to go on.
const PIECE: u32 = 32 << 10;
/// More hidden processes than this are counted only.
const RECORDED: usize = 256;

/// A process id that may be hidden, and what is known of it.
struct Candidate {
    pid: u32,
    held: Option<Box<dyn Held>>,
    start: Option<u64>,
    named: Option<Named>,
    seen: BTreeSet<&'static str>,
}

/// Compares the views over `range`, and for the ids that the kernel names elsewhere.
pub(crate) fn search(
    context: &Context,
    range: Range<u32>,
    named: BTreeMap<u32, Named>,
    out: &mut Out,
) -> Flow {
    let tree = context.host.tree();
    let Some(kernel) = context.host.kernel() else { return out.flow() };
    let processes = kernel.processes();
    if let Some(why) = not_comparable(tree, kernel.own_pid()) {
        return out.gap(Gap::new("hidden processes", why).important());
    }
    let Ok(before) = listed(tree) else { return out.flow() };
    let views = available(processes, out)?;
    let mut answering = sweep(processes, &views, range.clone(), out);
    // Once over all of it: its cost does not depend on the range.
    match processes.sweep(Asking::Iterator, range) {
        Ok(walked) => answering.extend(walked),
        Err(error) => {
            let what = format!("one of the views on hidden processes, {}", Asking::Iterator.call());
            out.gap(Gap::new(what, error.why()))?;
        }
    }
    out.flow()?;
    let Ok(after) = listed(tree) else { return out.flow() };
    let ordinary: BTreeSet<u32> = before.into_iter().chain(after.iter().copied()).collect();
    let mut pids: BTreeSet<u32> = answering.into_iter().chain(named.keys().copied()).collect();
    pids.retain(|pid| !ordinary.contains(pid));
    if pids.is_empty() {
        return out.flow();
    }
    for pid in &after {
        for thread in tree.list(&file(*pid, "task")).unwrap_or_default() {
            if let Some(thread) = calma_formats::lines::decimal(thread.name.as_bytes()) {
                pids.remove(&thread);
            }
        }
    }
    let candidates = pids
        .into_iter()
        .map(|pid| Candidate {
            pid,
            held: processes.hold(pid).ok(),
            start: start(tree, pid),
            named: named.get(&pid).cloned(),
            seen: BTreeSet::new(),
        })
        .collect();
    report(context, confirm(tree, processes, candidates), out)
}

/// Why the listing and the system calls can not be compared; `None` if they can.
fn not_comparable(tree: &dyn Tree, own: u32) -> Option<&'static str> {
    let itself = tree.link(b"/proc/self").ok()?;
    if calma_formats::lines::decimal::<u32>(&itself) != Some(own) {
        return Some("/proc belongs to another pid namespace than the one calma runs in");
    }
    let mounts = mountinfo::parse(&tree.read(b"/proc/self/mountinfo", 16 << 20).ok()?.bytes);
    let proc = mounts.iter().rfind(|mount| mount.point == "/proc")?;
    let options = proc.super_options.as_bytes().split(|b| *b == b',');
    let hides = options
        .filter_map(|option| option.strip_prefix(b"hidepid="))
        .any(|value| value != b"0" && value != b"off");
    // CAP_SYS_PTRACE sees through hidepid (proc(5)).
    let status = process_status::parse(&tree.read(b"/proc/self/status", 64 << 10).ok()?.bytes);
    (hides && status.effective & (1 << 19) == 0)
        .then_some("/proc hides the processes of others from this user (mount option hidepid)")
}

/// The views that answer at all; the others are gaps.
fn available(processes: &dyn Processes, out: &mut Out) -> std::ops::ControlFlow<(), Vec<Asking>> {
    let mut views = Vec::new();
    for asking in Asking::RANGE {
        match processes.sweep(asking, 1..1) {
            Ok(_) => views.push(asking),
            Err(error) => {
                let what = format!("one of the views on hidden processes, {}", asking.call());
                out.gap(Gap::new(what, error.why()))?;
            }
        }
    }
    std::ops::ControlFlow::Continue(views)
}

/// Every id of the range that any of the views knows, asked for on all cores.
fn sweep(processes: &dyn Processes, views: &[Asking], range: Range<u32>, out: &Out) -> Vec<u32> {
    let found = Mutex::new(BTreeSet::new());
    let next = Mutex::new(range.start);
    let work = || {
        loop {
            let piece = {
                let Ok(mut next) = next.lock() else { return };
                let piece = *next..next.saturating_add(PIECE).min(range.end);
                *next = piece.end;
                piece
            };
            if piece.is_empty() || out.flow().is_break() {
                return;
            }
            for asking in views {
                let answering = processes.sweep(*asking, piece.clone()).unwrap_or_default();
                if let (false, Ok(mut found)) = (answering.is_empty(), found.lock()) {
                    found.extend(answering);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, 8);
        for _ in 1..cores {
            // Without another thread this one does it all.
            drop(std::thread::Builder::new().spawn_scoped(scope, work));
        }
        work();
    });
    found.into_inner().unwrap_or_default().into_iter().collect()
}

/// Looks again and again; keeps those that are there each time and never listed.
fn confirm(tree: &dyn Tree, processes: &dyn Processes, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    for round in 0..ROUNDS {
        if candidates.is_empty() {
            break;
        }
        if round > 0 {
            std::thread::sleep(BETWEEN);
        }
        let Ok(first) = listed(tree) else { return Vec::new() };
        candidates.retain_mut(|candidate| {
            first.binary_search(&candidate.pid).is_err()
                && present(tree, processes, candidate, round)
                && !is_thread(tree, candidate.pid)
        });
        // The same process is alive before and after this listing: if it is an ordinary one, it is in there.
        let Ok(second) = listed(tree) else { return Vec::new() };
        candidates.retain_mut(|candidate| {
            second.binary_search(&candidate.pid).is_err()
                && present(tree, processes, candidate, round + 1)
                && candidate.held.as_ref().is_none_or(|held| held.alive())
                && start(tree, candidate.pid) == candidate.start
        });
    }
    candidates
}

/// Whether any view shows the candidate; keeps the views that have shown it each time.
fn present(tree: &dyn Tree, processes: &dyn Processes, candidate: &mut Candidate, round: u32) -> bool {
    let mut seen: BTreeSet<&'static str> = Asking::ALL
        .iter()
        .filter(|asking| processes.answers(**asking, candidate.pid))
        .map(|asking| asking.call())
        .collect();
    if let Some(named) = &candidate.named {
        seen.extend(named.still(tree, candidate.pid));
    }
    if round == 0 {
        candidate.seen = seen;
    } else {
        candidate.seen.retain(|view| seen.contains(view));
    }
    !candidate.seen.is_empty()
}

/// Whether the id is that of a thread of a process that stands in its folder, as /proc/TID/status and the folder say alike.
fn is_thread(tree: &dyn Tree, pid: u32) -> bool {
    let Ok(content) = tree.read(&file(pid, "status"), 64 << 10) else { return false };
    let process = process_status::parse(&content.bytes).process;
    process.is_some_and(|process| process != pid && tree.meta(&file(process, &format!("task/{pid}"))).is_ok())
}

fn start(tree: &dyn Tree, pid: u32) -> Option<u64> {
    let content = tree.read(&file(pid, "stat"), 64 << 10).ok()?;
    process_stat::parse(&content.bytes).filter(|stat| stat.pid == pid).map(|stat| stat.start_ticks)
}

/// Puts out what is hidden, and all that can be seen of it.
fn report(context: &Context, hidden: Vec<Candidate>, out: &mut Out) -> Flow {
    if hidden.is_empty() {
        return out.flow();
    }
    let tree = context.host.tree();
    let surroundings = Surroundings::new(context);
    let processes = context.host.kernel().map(|kernel| kernel.processes());
    if hidden.len() > RECORDED {
        out.gap(Gap::new("hidden processes beyond the first 256", "there are too many").important())?;
    }
    for candidate in hidden.into_iter().take(RECORDED) {
        let pid = candidate.pid;
        let denied = Asking::ALL.iter().filter(|asking| {
            let available = processes.is_some_and(|processes| processes.sweep(**asking, 1..1).is_ok());
            available && !candidate.seen.contains(asking.call())
        });
        let program = tree.link(&file(pid, "exe")).ok().map(|target| without_mark(&target).0);
        let content =
            tree.read(&file(pid, "stat"), 64 << 10).map(|content| content.bytes).unwrap_or_default();
        let fact = kinds::HiddenProcess {
            pid,
            seen: candidate.seen.iter().map(|view| (*view).to_owned()).collect(),
            denied: denied.map(|asking| asking.call().to_owned()).collect(),
            name: process_stat::parse(&content).map(|stat| stat.name).unwrap_or_default(),
            program,
            start_ticks: candidate.start,
            cgroup: candidate.named.map(|named: Named| named.group()).unwrap_or_default(),
            rechecks: ROUNDS,
        };
        out.fact(Source::kernel(View::CrossView, "system calls against the listing of /proc"), fact)?;
        if candidate.start.is_some() {
            let seen = observe(context, &surroundings, pid);
            for (from, fact) in seen.facts {
                out.fact(from, fact)?;
            }
        }
        if let Ok(mut program) = tree.open(&file(pid, "exe"), Follow::Links) {
            let place = file(pid, "exe");
            out.evidence(&format!("program of hidden process {pid}"), &place, Some(pid), program.as_mut())?;
        }
    }
    out.flow()
}

/// The highest process id that can be in use: the kernel's bound, or what is in use above it since before it was lowered.
pub(crate) fn highest(context: &Context) -> u32 {
    let tree = context.host.tree();
    let bound = tree.read(b"/proc/sys/kernel/pid_max", 64).ok();
    let bound =
        bound.and_then(|content| calma_formats::lines::decimal(content.bytes.trim_ascii())).unwrap_or(32768);
    let seen = listed(tree).ok().and_then(|pids| pids.last().copied()).unwrap_or(0);
    // PID_MAX_LIMIT of include/linux/threads.h.
    bound.max(seen).min(4 << 20)
}

pub(crate) use named::named;
