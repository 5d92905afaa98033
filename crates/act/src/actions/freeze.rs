//! Freezes a process and everything it started, so that it can neither act, nor wipe, nor start anything again.

use crate::action::{Action, Card, Done, Looking, Trouble, Verdict, state, undo};
use crate::{Acting, database, tree};
use calma_host::Tell;
use calma_host::ground::{Group, ProcessLine, newcomers, processes};
use calma_record::Text;
use calma_record::step::{ProcessName, Refusal, Step, Undo, Undoable, Way};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "freeze",
        doc: "Stops a process and everything it started where they stand; their memory stays as it is.",
        csf: "RS.MI-01",
        undoable: Undoable::Reversible,
        back: "undo: thaw",
        against: "With root's rights something outside the tree can continue it (SIGCONT); a program can see afterwards \
                  that time has passed; one that forks without end must be caught faster than it forks.",
    },
    ready: None,
    prepare,
    apply,
    verify,
    revert,
};

/// A tree that forks faster than this is not caught.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Serialize, Deserialize)]
struct State {
    root: ProcessName,
    /// Folder and path of the control group, where it holds the tree and nothing else.
    group: Option<(Text, Text)>,
    /// Members that were stopped already; they stay so when it is taken back.
    stopped_before: Vec<ProcessName>,
}

/// What is noted before each wave of signals.
#[derive(Serialize, Deserialize)]
struct Wave {
    stop: Vec<ProcessName>,
}

impl State {
    fn group(&self) -> Option<Group> {
        self.group.clone().map(|(folder, path)| Group { folder, path })
    }
}

/// A control group of which every process is in the tree: freezing it can not be outrun by forks.
fn own_group(root: &ProcessName, members: &[ProcessLine]) -> Option<Group> {
    let group = Group::of(root.pid)?;
    let pids: BTreeSet<u32> = members.iter().map(|line| line.pid).collect();
    let only_ours = group.members()?.iter().all(|pid| pids.contains(pid));
    (only_ours && group.asked_to_freeze() == Some(false)).then_some(group)
}

fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let root = tree::root(&step.target)?;
    let members = tree::checked(root, looking.keep_off)?;
    // What is frozen can not be stopped in an orderly way any more.
    database::allows(looking.host, looking.keep_off, &members)?;
    undo(&State {
        root: root.clone(),
        group: own_group(root, &members).map(|group| (group.folder, group.path)),
        stopped_before: members.iter().filter(|line| line.is_stopped()).map(ProcessLine::identity).collect(),
    })
}

fn apply(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let mut known = noted(acting.looking.noted);
    if let Some(group) = state.group() {
        // It may be gone by now with everything in it; the loop below sees what is left.
        let _ = acting.hands().freeze(&group, true);
    }
    let began = Instant::now();
    let (mut told, mut quiet) = (BTreeSet::new(), 0);
    let members = loop {
        let mut all = processes()?;
        let members = tree::members(&state.root, &known, &all);
        acting.looking.keep_off.allows(&members).map_err(|refusal| Trouble::new(refusal.why))?;
        let frozen = frozen(&state);
        let awake = |line: &&ProcessLine| !stands(line, &members, &frozen);
        let new: Vec<ProcessName> = members
            .iter()
            .filter(awake)
            .map(ProcessLine::identity)
            .filter(|name| !told.contains(&(name.pid, name.started)))
            .collect();
        if new.is_empty() {
            // Told, but not seen to stand yet: a signal takes a moment, a process that waits for a device longer.
            let waiting = members.iter().filter(awake).count();
            quiet += 1;
            let asleep = |line: &ProcessLine| line.is_stopped() || frozen.contains(&line.pid);
            let group = state.group().is_none_or(|group| group.frozen() != Some(false));
            let settled = group && (quiet > 2 || members.iter().all(asleep));
            if waiting == 0 && (settled || quiet > 50) {
                // What the last of them started before it stood may have come in behind the look; it is new then.
                all.extend(newcomers(&all)?);
                if tree::members(&state.root, &known, &all).len() == members.len() {
                    break members;
                }
            } else if waiting > 0 && quiet > 50 && began.elapsed() > Duration::from_millis(300) {
                break members;
            } else {
                std::thread::sleep(Duration::from_millis(1));
            }
            continue;
        }
        quiet = 0;
        if began.elapsed() > PATIENCE {
            return Err(Trouble::new("it starts new processes faster than they can be stopped"));
        }
        (acting.progress)(serde_json::to_value(Wave { stop: new.clone() }).unwrap_or_default())?;
        for name in new {
            told.insert((name.pid, name.started));
            match acting.hands().tell(&name, Tell::Stop) {
                Err(error) if !error.is_missing() => return Err(error.into()),
                _ => known.push(name),
            }
        }
    };
    let still: Vec<ProcessName> = members.iter().map(ProcessLine::identity).collect();
    Ok(Done::new(format!("frozen: {}", tree::words(&state.root, still.len()))).leaving(Wave { stop: known }))
}

/// Whether a process can not run: stopped, frozen with its group, or waiting for a stopped child to start its program
/// (vfork(2)), with the signal waiting for itself.
fn stands(line: &ProcessLine, members: &[ProcessLine], frozen: &BTreeSet<u32>) -> bool {
    let child = |other: &ProcessLine| other.parent == line.pid && other.is_stopped();
    line.is_stopped() || frozen.contains(&line.pid) || (line.state == b'D' && members.iter().any(child))
}

/// The processes of the state's group, if it is frozen.
fn frozen(state: &State) -> BTreeSet<u32> {
    let group = state.group().filter(|group| group.frozen() == Some(true));
    group.and_then(|group| group.members()).unwrap_or_default().into_iter().collect()
}

/// Everything that was told to stop, from the notes.
fn noted(notes: &[serde_json::Value]) -> Vec<ProcessName> {
    notes
        .iter()
        .filter_map(|note| serde_json::from_value::<Wave>(note.clone()).ok())
        .flat_map(|wave| wave.stop)
        .collect()
}

fn verify(looking: &mut Looking<'_>, _: &Step, undo: &Undo, way: Way) -> Verdict {
    let Ok(state) = state::<State>(undo) else {
        return Verdict::Fails("its entry can not be read".to_owned());
    };
    let known = noted(looking.noted);
    let before = |line: &ProcessLine| state.stopped_before.contains(&line.identity());
    let mut looks = 0;
    let wrong = loop {
        let Ok(members) = tree::now(&state.root, &known) else {
            return Verdict::Fails("the processes can not be listed".to_owned());
        };
        let frozen = frozen(&state);
        let wrong = members.iter().find(|line| match way {
            Way::Do => !stands(line, &members, &frozen),
            Way::Undo => (frozen.contains(&line.pid) || line.state == b'T') && !before(line),
        });
        looks += 1;
        // One that just comes back from starting another runs none of its own code any more, but is not shown as stopped yet.
        let soon = wrong.is_some_and(|line| way == Way::Do && line.state != b'D');
        if !soon || looks > 20 {
            break wrong.cloned();
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    match (wrong, way) {
        (None, _) => Verdict::Holds,
        (Some(line), Way::Do) if line.state == b'D' => Verdict::Fails(format!(
            "process {} waits for a device; it stops as soon as that answers",
            line.pid
        )),
        (Some(line), Way::Do) => Verdict::Fails(format!("process {} still runs", line.pid)),
        (Some(line), Way::Undo) => Verdict::Fails(format!("process {} is still stopped", line.pid)),
    }
}

fn revert(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let known = noted(acting.looking.noted);
    let members = tree::now(&state.root, &known)?;
    // Children first, so that a parent that waits for them finds them running.
    let mut woken = 0;
    for line in members.iter().rev() {
        let name = line.identity();
        // Whatever was told to stop is told to go on, however it looks now: a signal may still wait for it.
        // The note of the last wave may be lost with the machine's power: what stands and did not before is of it too.
        if state.stopped_before.contains(&name) || (!known.contains(&name) && line.state != b'T') {
            continue;
        }
        match acting.hands().tell(&name, Tell::Continue) {
            Err(error) if !error.is_missing() => return Err(error.into()),
            _ => woken += 1,
        }
    }
    if let Some(group) = state.group().filter(|group| group.asked_to_freeze() == Some(true)) {
        acting.hands().freeze(&group, false)?;
        woken = woken.max(group.members().map_or(0, |members| members.len()));
    }
    // A signal takes a moment to be seen.
    for _ in 0..200 {
        let still = tree::now(&state.root, &known)?;
        let asleep = |line: &ProcessLine| line.state == b'T' && known.contains(&line.identity());
        if !still.iter().any(|line| asleep(line) && !state.stopped_before.contains(&line.identity())) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(Done::new(match woken {
        0 => format!("pid {} had ended, nothing was left to thaw", state.root.pid),
        n => format!("thawed: {}", tree::words(&state.root, n)),
    }))
}
