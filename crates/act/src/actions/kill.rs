//! Ends a process and everything it started. Never the first step: what it knows is lost with it.

use crate::action::{Action, Card, Done, Looking, Trouble, Verdict, state, undo};
use crate::{Acting, database, tree};
use calma_host::ground::{Group, ProcessLine, process};
use calma_host::{Host, Tell};
use calma_record::Text;
use calma_record::step::{ProcessName, Refusal, Step, Undo, Undoable, Way};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "kill",
        doc: "Ends a process and everything it started; a descriptor of each names it, so no other is ever met.",
        csf: "RS.MI-02",
        undoable: Undoable::Compensable,
        back: "cannot be undone",
        against: "A watchdog elsewhere starts it again: freeze all of the story first, unhook what starts it, then kill. \
                  A process that waits for a device ends only when that answers.",
    },
    ready: None,
    prepare,
    apply,
    verify,
    revert,
};

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Serialize, Deserialize)]
struct State {
    root: ProcessName,
    members: Vec<Member>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Member {
    name: ProcessName,
    /// Its program, as /proc/PID/exe tells.
    program: Text,
    arguments: Vec<Text>,
}

fn member(host: &dyn Host, line: &ProcessLine) -> Member {
    let at = |file: &str| format!("/proc/{}/{file}", line.pid).into_bytes();
    let program = host.tree().link(&at("exe")).unwrap_or_default().into();
    let words = host.tree().read(&at("cmdline"), 1 << 16).map(|content| content.bytes).unwrap_or_default();
    let words = words.strip_suffix(b"\0").unwrap_or(&words);
    Member { name: line.identity(), program, arguments: words.split(|b| *b == 0).map(Text::from).collect() }
}

fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let root = tree::root(&step.target)?;
    let members = tree::checked(root, looking.keep_off)?;
    gather(looking, root, &members)
}

/// What taking it back and finishing it need, of these processes.
pub(super) fn gather(
    looking: &Looking<'_>,
    root: &ProcessName,
    members: &[ProcessLine],
) -> Result<Undo, Refusal> {
    database::allows(looking.host, looking.keep_off, members)?;
    undo(&State {
        root: root.clone(),
        members: members.iter().map(|line| member(looking.host, line)).collect(),
    })
}

pub(super) fn apply(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let mut known: Vec<ProcessName> = state.members.iter().map(|member| member.name.clone()).collect();
    let began = Instant::now();
    loop {
        let members = tree::now(&state.root, &known)?;
        if members.is_empty() {
            break;
        }
        acting.looking.keep_off.allows(&members).map_err(|refusal| Trouble::new(refusal.why))?;
        if began.elapsed() > PATIENCE {
            let line = members.first().map(|line| format!("process {} ({})", line.pid, line.name));
            let line = line.unwrap_or_default();
            return Err(Trouble::new(format!(
                "{line} does not end; it waits for a device, or starts anew too fast"
            )));
        }
        for line in &members {
            let name = line.identity();
            match acting.hands().tell(&name, Tell::Kill) {
                Err(error) if !error.is_missing() => return Err(error.into()),
                _ => {}
            }
            if !known.contains(&name) {
                known.push(name);
            }
        }
        thaw(acting, &members)?;
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(Done::new(format!("ended: {}", tree::words(&state.root, known.len()))))
}

/// In a frozen group of version 1 a process ends only once it is thawed (freezer-subsystem.rst): where all of it has been
/// told to end, it is.
fn thaw(acting: &Acting<'_>, members: &[ProcessLine]) -> Result<(), Trouble> {
    let mut groups: Vec<Group> = members.iter().filter_map(|line| Group::of(line.pid)).collect();
    groups.dedup();
    for group in groups.iter().filter(|group| group.is_old() && group.asked_to_freeze() == Some(true)) {
        let ours = |pid: &u32| members.iter().any(|line| line.pid == *pid);
        if group.members().is_some_and(|all| all.iter().all(ours)) {
            match acting.hands().freeze(group, false) {
                Err(error) if !error.is_missing() => return Err(error.into()),
                _ => {}
            }
        }
    }
    Ok(())
}

pub(super) fn verify(_: &mut Looking<'_>, _: &Step, undo: &Undo, way: Way) -> Verdict {
    let Ok(state) = state::<State>(undo) else {
        return Verdict::Fails("its entry can not be read".to_owned());
    };
    if way == Way::Undo {
        return Verdict::Holds;
    }
    let alive = |name: &ProcessName| {
        process(name.pid).is_some_and(|line| line.started == name.started && !line.is_gone())
    };
    match state.members.iter().find(|member| alive(&member.name)) {
        Some(member) => Verdict::Fails(format!("process {} is still there", member.name.pid)),
        None => Verdict::Holds,
    }
}

pub(super) fn revert(_: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let alive = |name: &ProcessName| {
        process(name.pid).is_some_and(|line| line.started == name.started && !line.is_gone())
    };
    if state.members.iter().all(|member| alive(&member.name)) {
        return Ok(Done::new(format!("pid {} was not ended, and runs", state.root.pid)));
    }
    let first = state.members.first();
    let program = first.map(|member| member.program.clone()).unwrap_or_default();
    let how = if program.as_bytes().ends_with(b" (deleted)") || program.is_empty() {
        "its program was deleted; it is whole in the case, with its memory".to_owned()
    } else {
        format!("its program {program} can be started again, and its memory is in the case")
    };
    Ok(Done::new(format!("pid {} cannot come back: {how}", state.root.pid)))
}
