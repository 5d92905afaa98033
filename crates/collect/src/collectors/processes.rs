//! Collector: processes.

use crate::process::{self, Observed, Surroundings};
use crate::{Card, Collector, Context, Flow, Needs, Out, Patience, Volatility, describe};
use calma_host::Follow;
use calma_record::Gap;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "processes",
        doing: "Looking at processes",
        doc: "processes, their programs, rights, open files and memory",
        volatility: Volatility::Seconds,
        needs: Needs::Kernel,
        patience: Duration::from_secs(60),
    },
    collect,
};

/// How long one process may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How long the description of one file may take.
const DESCRIBE: Duration = Duration::from_secs(10);
/// How long reading one program for evidence may take.
const KEEP: Duration = Duration::from_secs(30);

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let pids = match process::listed(tree) {
        Ok(pids) => pids,
        Err(error) => {
            let gap = Gap::new("processes", error.why()).at(error.place.as_bytes());
            return out.gap(gap.important());
        }
    };
    if pids.is_empty() {
        return out.gap(Gap::new("processes", "/proc lists none").important());
    }
    let surroundings = Arc::new(Surroundings::new(context));
    // Read before the clock of the first process runs.
    context.packages();
    let keep = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, 4);
    let share = pids.len().div_ceil(workers).max(64);
    let shares: Vec<&[u32]> = pids.chunks(share).collect();
    std::thread::scope(|scope| {
        let mut rest = Vec::new();
        for share in shares {
            let (surroundings, mut out, keep) = (Arc::clone(&surroundings), out.clone(), &keep);
            let work = move || look(context, &surroundings, share, &mut out, keep);
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                rest.push(share);
            }
        }
        for share in rest {
            let _stopped = look(context, &surroundings, share, &mut out.clone(), &keep);
        }
    });
    out.flow()?;
    let mut keep = keep.into_inner().unwrap_or_default();
    keep.sort_unstable();
    evidence(context, &keep, out)
}

/// Looks at some processes, one after another.
fn look(
    context: &Arc<Context>,
    surroundings: &Arc<Surroundings>,
    pids: &[u32],
    out: &mut Out,
    keep: &Mutex<Vec<(u32, (u64, u64))>>,
) -> Flow {
    let (mut answer, mut describe) = (Patience::new(ANSWER), Patience::new(DESCRIBE));
    let mut described = BTreeSet::new();
    for pid in pids.iter().copied() {
        let (its, around) = (Arc::clone(context), Arc::clone(surroundings));
        let Some(seen) = answer.call(move || process::observe(&its, &around, pid)) else {
            let gap = Gap::new("processes", "one of their files in /proc did not answer within two seconds");
            out.gap(gap.at(format!("/proc/{pid}").as_str()).important())?;
            continue;
        };
        let Observed { facts, gaps, describe: files, keep: its_keep } = seen;
        for (from, fact) in facts {
            out.fact(from, fact)?;
        }
        for gap in gaps {
            out.gap(gap)?;
        }
        for path in files {
            if !described.insert(path.clone()) {
                continue;
            }
            let (its, mut way) = (Arc::clone(context), out.clone());
            let place = path.clone();
            if describe.call(move || describe::file(&its, &path, &mut way)).is_none() {
                let gap = Gap::new("files that processes run", "reading them did not end within ten seconds");
                out.gap(gap.at(place))?;
            }
        }
        if let (Some(file), Ok(mut keep)) = (its_keep, keep.lock()) {
            keep.push((pid, file));
        }
    }
    out.flow()
}

/// Takes every program that has no name any more whole into the case, each once.
fn evidence(context: &Arc<Context>, keep: &[(u32, (u64, u64))], out: &mut Out) -> Flow {
    let own = context.host.kernel().map_or(0, |kernel| kernel.own_pid());
    let own = keep.iter().find(|(pid, _)| *pid == own).map(|(_, file)| *file);
    let mut kept = BTreeSet::new();
    let mut patience = Patience::new(KEEP);
    for (pid, file) in keep.iter().copied() {
        if Some(file) == own || (file != (0, 0) && !kept.insert(file)) {
            continue;
        }
        let (its, mut way) = (Arc::clone(context), out.clone());
        let read = move || {
            let place = process::file(pid, "exe");
            match its.host.tree().open(&place, Follow::Links) {
                Ok(mut file) => {
                    way.evidence(&format!("program of process {pid}"), &place, Some(pid), file.as_mut())
                }
                Err(error) => way.unseen("programs that have no name any more", &error),
            }
        };
        if patience.call(read).is_none() {
            let gap =
                Gap::new("programs that have no name any more", "reading one did not end within 30 seconds");
            out.gap(gap.at(process::file(pid, "exe")).important())?;
        }
    }
    out.flow()
}
