//! After a plan was carried out: whether anything of it comes back, and who brings it.

use crate::engine::History;
use crate::side::{Side, SideError};
use calma_host::ground::ProcessLine;
use calma_record::Text;
use calma_record::step::{Ended, Step, Target};
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

/// Watches for so long whether a file that was taken away is there again, a line, link or setting is as it was, or something
/// runs such a file. Only steps from `since` on count. Ends early when `stop` says so.
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
    let (mut paths, mut programs, mut changed) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for past in history.steps().filter(|past| past.intent.id >= since && past.undone.is_none()) {
        match (&past.intent.step.target, past.intent.step.action.as_str()) {
            (Target::File { path, .. }, _) => drop(paths.insert(path.clone())),
            (Target::Tree(_), "kill") => programs.extend(ended(&past.intent.undo.value())),
            // Only what came to hold can come back.
            _ if past.done.as_ref().is_some_and(|done| done.ended == Ended::Done) => {
                changed.push(&past.intent.step)
            }
            _ => {}
        }
    }
    programs.extend(paths.iter().cloned());
    let (began, mut found) = (Instant::now(), BTreeSet::new());
    let mut read_again = began;
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
        let over = began.elapsed() >= Duration::from_secs(seconds) || stop();
        // Whole files are read for it, perhaps over a slow line.
        if over || Instant::now() >= read_again {
            read_again = Instant::now() + Duration::from_secs(1);
            for step in &changed {
                found.extend(returned(side, step)?.map(|what| Back { what, by: String::new() }));
            }
        }
        if over {
            return Ok(found.into_iter().collect());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What of a changed line, link or setting is as it was before.
fn returned(side: &dyn Side, step: &Step) -> Result<Option<String>, SideError> {
    Ok(match &step.target {
        Target::Line { path, line, instead, .. } if instead.as_ref() != Some(line) => {
            let Some(text) = side.read(path)? else { return Ok(None) };
            let mut lines =
                text.as_bytes().split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            lines.any(|there| there == line.as_bytes()).then(|| format!("the line is in {path} again"))
        }
        Target::Link { path, to, .. } => {
            let Some((_, Some(leads))) = side.stands(path)? else { return Ok(None) };
            (leads != *to).then(|| format!("{path} leads to {leads} again"))
        }
        Target::Setting { path, value, .. } => {
            let Some(now) = side.read(path)? else { return Ok(None) };
            let now = now.as_bytes();
            let now = if now.starts_with(b"enabled") { &b"1"[..] } else { now.trim_ascii() };
            let off = now.starts_with(b"disabled") && *value == "0";
            let words =
                |text: &[u8]| text.split(u8::is_ascii_whitespace).map(<[u8]>::to_vec).collect::<Vec<_>>();
            (!off && words(now) != words(value.as_bytes()))
                .then(|| format!("{path} is \"{}\" again", Text::from(now)))
        }
        _ => None,
    })
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
