//! After a plan was carried out: whether anything of it comes back, and who brings it.

use crate::engine::History;
use crate::side::{Side, SideError};
use calma_host::ground::ProcessLine;
use calma_record::Text;
use calma_record::step::Target;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Something that came back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Back {
    /// What, in one sentence.
    pub what: String,
    /// Who started it, as far as that is to be seen; empty for a file.
    pub by: String,
}

/// Watches for so long whether a file that was taken away is there again, or something runs one. Only steps from `since`
/// on count. Ends early when `stop` says so.
///
/// # Errors
/// When the machine does not answer any more.
pub fn watch(
    side: &dyn Side,
    history: &History,
    since: u64,
    seconds: u64,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Back>, SideError> {
    let (mut paths, mut programs) = (BTreeSet::new(), BTreeSet::new());
    for past in history.steps().filter(|past| past.intent.id >= since && past.undone.is_none()) {
        match (&past.intent.step.target, past.intent.step.action.as_str()) {
            (Target::File { path, .. }, _) => drop(paths.insert(path.clone())),
            (Target::Tree(_), "kill") => programs.extend(ended(&past.intent.undo.0)),
            _ => {}
        }
    }
    programs.extend(paths.iter().cloned());
    let (began, mut found) = (Instant::now(), BTreeSet::new());
    loop {
        let running = side.strays(&programs)?;
        let all = if running.is_empty() { Vec::new() } else { side.processes()? };
        let by_pid: BTreeMap<u32, &ProcessLine> = all.iter().map(|line| (line.pid, line)).collect();
        for line in running.iter().filter(|line| !running.iter().any(|other| other.pid == line.parent)) {
            let what = format!("something of it runs again, as pid {} ({})", line.pid, line.name);
            found.insert(Back { what, by: ancestors(line, &by_pid) });
        }
        for path in side.there(paths.iter().cloned().collect())?.iter().filter(|path| paths.contains(path)) {
            found.insert(Back { what: format!("{path} is there again"), by: String::new() });
        }
        if began.elapsed() >= Duration::from_secs(seconds) || stop() {
            return Ok(found.into_iter().collect());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The programs of a step that ended processes, but for those that a system has anyway: they run for others too.
fn ended(state: &Value) -> Vec<Text> {
    let members = state.get("members").and_then(Value::as_array).into_iter().flatten();
    members
        .filter_map(|member| Text::from_escaped(member.get("program")?.as_str()?))
        .map(|program| program.as_bytes().strip_suffix(b" (deleted)").map(Text::from).unwrap_or(program))
        .filter(|program| !program.is_empty())
        .filter(|program| {
            let own = [&b"/usr/"[..], b"/bin/", b"/sbin/", b"/lib"];
            !own.iter().any(|start| program.as_bytes().starts_with(start))
        })
        .collect()
}

/// The names of those that led to a process, nearest first.
fn ancestors(line: &ProcessLine, by_pid: &BTreeMap<u32, &ProcessLine>) -> String {
    let mut names = Vec::new();
    let mut at = line.parent;
    while let Some(parent) = by_pid.get(&at).filter(|_| names.len() < 8) {
        names.push(format!("{} (pid {})", parent.name, parent.pid));
        at = parent.parent;
    }
    names.join(", started by ")
}
