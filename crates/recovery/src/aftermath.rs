//! After a plan was carried out: whether anything of it comes back, and who brings it.

use crate::engine::History;
use calma_host::ground::{Ground, ProcessLine, processes};
use calma_host::{Live, Tree as _};
use calma_record::Text;
use calma_record::step::{ProcessName, Target};
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

/// Watches for so long whether a file that was taken away or a process that was ended is there again. Only steps from
/// `since` on count. Ends early when `stop` says so.
pub fn watch(host: &Live, history: &History, since: u64, seconds: u64, stop: &dyn Fn() -> bool) -> Vec<Back> {
    let (mut paths, mut programs) = (BTreeSet::new(), BTreeSet::new());
    for past in history.steps().filter(|past| past.intent.id >= since && past.undone.is_none()) {
        match (&past.intent.step.target, past.intent.step.action.as_str()) {
            (Target::File { path, .. }, _) => drop(paths.insert(path.clone())),
            (Target::Tree(_), "kill") => programs.extend(ended(&past.intent.undo.0)),
            _ => {}
        }
    }
    let known: BTreeSet<ProcessName> =
        processes().unwrap_or_default().iter().map(ProcessLine::identity).collect();
    let ground = Ground::below(b"/").ok();
    let (began, mut found) = (Instant::now(), BTreeSet::new());
    loop {
        let all = processes().unwrap_or_default();
        let by_pid: BTreeMap<u32, &ProcessLine> = all.iter().map(|line| (line.pid, line)).collect();
        for line in all.iter().filter(|line| !line.is_gone() && !line.kernel_thread) {
            let program = program(host, line.pid);
            if programs.contains(&program) && !known.contains(&line.identity()) {
                let what = format!("{} runs again, as pid {} ({})", program.0, line.pid, line.name);
                found.insert(Back { what, by: ancestors(line, &by_pid) });
            }
        }
        for path in &paths {
            let there = ground.as_ref().and_then(|ground| ground.place(path.as_bytes()).ok());
            if there.is_some_and(|(folder, name)| folder.has(name)) {
                found.insert(Back { what: format!("{path} is there again"), by: String::new() });
            }
        }
        if began.elapsed() >= Duration::from_secs(seconds) || stop() {
            return found.into_iter().collect();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The programs of a step that ended processes, with their arguments: an interpreter is none by itself.
fn ended(state: &Value) -> Vec<(Text, Text)> {
    let members = state.get("members").and_then(Value::as_array).into_iter().flatten();
    members
        .filter_map(|member| {
            let program = Text::from_escaped(member.get("program")?.as_str()?)?;
            let words = member
                .get("arguments")?
                .as_array()?
                .iter()
                .filter_map(|word| Text::from_escaped(word.as_str()?));
            Some((plain(program), joined(words)))
        })
        .filter(|(program, _)| !program.is_empty())
        .collect()
}

/// A process's program and arguments.
fn program(host: &Live, pid: u32) -> (Text, Text) {
    let at = |file: &str| format!("/proc/{pid}/{file}").into_bytes();
    let program = host.link(&at("exe")).unwrap_or_default().into();
    let words = host.read(&at("cmdline"), 1 << 16).map(|content| content.bytes).unwrap_or_default();
    let words = words.strip_suffix(b"\0").unwrap_or(&words);
    (plain(program), joined(words.split(|b| *b == 0).map(Text::from)))
}

/// A program without the kernel's mark that its file is gone.
fn plain(program: Text) -> Text {
    program.as_bytes().strip_suffix(b" (deleted)").map(Text::from).unwrap_or(program)
}

fn joined(words: impl Iterator<Item = Text>) -> Text {
    words.flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect::<Vec<u8>>().into()
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
