//! After a plan was carried out: whether anything of it comes back, and who brings it.

use crate::engine::History;
use crate::strays::strays;
use calma_host::ground::{Ground, ProcessLine, processes};
use calma_host::{Live, Tree as _};
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
pub fn watch(host: &Live, history: &History, since: u64, seconds: u64, stop: &dyn Fn() -> bool) -> Vec<Back> {
    let (mut paths, mut programs, mut changed) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for past in history.steps().filter(|past| past.intent.id >= since && past.undone.is_none()) {
        match (&past.intent.step.target, past.intent.step.action.as_str()) {
            (Target::File { path, .. }, _) => drop(paths.insert(path.clone())),
            (Target::Tree(_), "kill") => programs.extend(ended(&past.intent.undo.0)),
            // Only what came to hold can come back.
            _ if past.done.as_ref().is_some_and(|done| done.ended == Ended::Done) => {
                changed.push(&past.intent.step)
            }
            _ => {}
        }
    }
    programs.extend(paths.iter().cloned());
    let ground = Ground::below(b"/").ok();
    let (began, mut found) = (Instant::now(), BTreeSet::new());
    loop {
        let running = strays(host, &programs);
        let all = if running.is_empty() { Vec::new() } else { processes().unwrap_or_default() };
        let by_pid: BTreeMap<u32, &ProcessLine> = all.iter().map(|line| (line.pid, line)).collect();
        for line in running.iter().filter(|line| !running.iter().any(|other| other.pid == line.parent)) {
            let what = format!("something of it runs again, as pid {} ({})", line.pid, line.name);
            found.insert(Back { what, by: ancestors(line, &by_pid) });
        }
        for path in &paths {
            let there = ground.as_ref().and_then(|ground| ground.place(path.as_bytes()).ok());
            if there.is_some_and(|(folder, name)| folder.has(name)) {
                found.insert(Back { what: format!("{path} is there again"), by: String::new() });
            }
        }
        let returned = changed.iter().filter_map(|step| returned(host, step));
        found.extend(returned.map(|what| Back { what, by: String::new() }));
        if began.elapsed() >= Duration::from_secs(seconds) || stop() {
            return found.into_iter().collect();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What of a changed line, link or setting is as it was before.
fn returned(host: &Live, step: &Step) -> Option<String> {
    let read = |path: &Text| host.read(path.as_bytes(), 16 << 20).map(|content| content.bytes).ok();
    match &step.target {
        Target::Line { path, line, instead, .. } if instead.as_ref() != Some(line) => {
            let lines = read(path)?;
            let mut lines = lines.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            lines.any(|there| there == line.as_bytes()).then(|| format!("the line is in {path} again"))
        }
        Target::Link { path, to, .. } => {
            let leads = Text::from(host.link(path.as_bytes()).ok()?);
            (leads != *to).then(|| format!("{path} leads to {leads} again"))
        }
        Target::Setting { path, value, .. } => {
            let now = read(path)?;
            let now = if now.starts_with(b"enabled") { &b"1"[..] } else { now.trim_ascii() };
            let off = now.starts_with(b"disabled") && *value == "0";
            let words =
                |text: &[u8]| text.split(u8::is_ascii_whitespace).map(<[u8]>::to_vec).collect::<Vec<_>>();
            (!off && words(now) != words(value.as_bytes()))
                .then(|| format!("{path} is \"{}\" again", Text::from(now)))
        }
        _ => None,
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
