//! A process and everything it started.

use crate::{KeepOff, Trouble};
use calma_host::ground::{ProcessLine, processes};
use calma_record::step::{ProcessName, Refusal, Target};
use std::collections::{BTreeMap, BTreeSet};

/// The process a step is about.
pub(crate) fn root(target: &Target) -> Result<&ProcessName, Refusal> {
    match target {
        Target::Tree(name) => Ok(name),
        _ => Err(Refusal::new("this is not about a process")),
    }
}

/// The living members of the tree below `root`: what it started, what those started that are `known` to be of it, and if
/// it leads a session, that session: a child whose parent ended is found there. In order of their start.
pub(crate) fn members(root: &ProcessName, known: &[ProcessName], all: &[ProcessLine]) -> Vec<ProcessLine> {
    let ids: BTreeSet<(u32, u64)> = known.iter().chain([root]).map(|name| (name.pid, name.started)).collect();
    let mut children: BTreeMap<u32, Vec<&ProcessLine>> = BTreeMap::new();
    let mut found: BTreeMap<u32, &ProcessLine> = BTreeMap::new();
    let mut todo: Vec<&ProcessLine> = Vec::new();
    for line in all {
        children.entry(line.parent).or_default().push(line);
        if ids.contains(&(line.pid, line.started)) || line.session == root.pid {
            todo.push(line);
        }
    }
    while let Some(line) = todo.pop() {
        if line.pid > 1 && found.insert(line.pid, line).is_none() {
            todo.extend(children.get(&line.pid).into_iter().flatten());
        }
    }
    let mut found: Vec<ProcessLine> = found.into_values().filter(|line| !line.is_gone()).cloned().collect();
    found.sort_by_key(|line| (line.started, line.pid));
    found
}

/// The tree as it is now.
pub(crate) fn now(root: &ProcessName, known: &[ProcessName]) -> Result<Vec<ProcessLine>, Trouble> {
    Ok(members(root, known, &processes()?))
}

/// The tree of a step's process, if that is still the one the plan means and all of it may be touched.
pub(crate) fn checked(root: &ProcessName, keep_off: &KeepOff) -> Result<Vec<ProcessLine>, Refusal> {
    let all = processes().map_err(crate::action::refused)?;
    match all.iter().find(|line| line.pid == root.pid) {
        Some(line) if line.started == root.started && !line.is_gone() => {
            keep_off.allows(std::slice::from_ref(line))?;
        }
        Some(line) if line.started == root.started => {
            return Err(Refusal::new(format!("process {} has ended", root.pid)));
        }
        Some(_) => return Err(Refusal::new(format!("process {} is another one now", root.pid))),
        None => return Err(Refusal::new(format!("process {} is not there any more", root.pid))),
    }
    let tree = members(root, &[], &all);
    keep_off.allows(&tree)?;
    Ok(tree)
}

/// "pid 4711", or "pid 4711 and what it started (3)".
pub(crate) fn words(root: &ProcessName, members: usize) -> String {
    match members {
        0 | 1 => format!("pid {}", root.pid),
        more => format!("pid {} and what it started ({})", root.pid, more - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(pid: u32, parent: u32, session: u32) -> ProcessLine {
        ProcessLine {
            pid,
            name: "x".into(),
            state: b'S',
            parent,
            group: session,
            session,
            kernel_thread: false,
            started: u64::from(pid) * 10,
        }
    }

    fn pids(root: u32, known: &[u32], all: &[ProcessLine]) -> Vec<u32> {
        let name = |pid: u32| ProcessName { pid, started: u64::from(pid) * 10, name: "x".into() };
        let known: Vec<_> = known.iter().map(|pid| name(*pid)).collect();
        members(&name(root), &known, all).iter().map(|line| line.pid).collect()
    }

    #[test]
    fn a_tree_holds_what_was_started_and_nothing_else() {
        let all = [line(1, 0, 1), line(5, 1, 5), line(6, 5, 5), line(7, 6, 7), line(8, 1, 5), line(9, 1, 9)];
        // 8 lost its parent, but is still in the session that 5 leads.
        assert_eq!(pids(5, &[], &all), [5, 6, 7, 8]);
        assert_eq!(pids(6, &[], &all), [6, 7]);
        // 6 has ended; 7 is known to have been of it.
        assert_eq!(pids(60, &[7], &all), [7]);
        assert!(pids(1, &[], &all[1..]).iter().all(|pid| *pid != 1));
    }

    #[test]
    fn an_id_that_was_given_again_is_not_a_member() {
        let all = [ProcessLine { started: 999, ..line(5, 1, 4) }, line(6, 5, 4)];
        assert!(pids(5, &[], &all).is_empty());
    }
}
