//! Puts a setting of the running kernel back: the program it runs when another crashes, the one that loads modules, a
//! handler of a binary format.

use crate::Acting;
use crate::action::{Action, Card, Done, Looking, Trouble, Verdict, refused, state, undo};
use calma_host::Host;
use calma_record::Text;
use calma_record::step::{Refusal, Step, Target, Undo, Undoable, Way};
use serde::{Deserialize, Serialize};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "set-sysctl",
        doc: "Gives a setting of the running kernel its harmless value: core_pattern, modprobe, a binary format's handler.",
        csf: "RS.MI-02",
        undoable: Undoable::Reversible,
        back: "undo: set as it was",
        against: "Root can set it again at once, and files of sysctl.d do at the next boot: take their line out too.",
    },
    ready: None,
    prepare,
    apply,
    verify,
    revert,
};

/// Where the kernel keeps its settings. Nothing else is written to: a path of a plan may come from an intruder's words.
const PLACES: [&[u8]; 1] = [b"/proc/sys/"];
const SINGLE: [&[u8]; 1] = [b"/sys/kernel/uevent_helper"];

/// Handlers of binary formats (binfmt-misc.rst): a file says `enabled` or `disabled` in its first line and takes 1 or 0.
const FORMATS: &[u8] = b"/proc/sys/fs/binfmt_misc/";

#[derive(Serialize, Deserialize)]
struct State {
    path: Text,
    before: Text,
    after: Text,
}

/// The setting as it would be written.
fn now(host: &dyn Host, path: &Text) -> Result<Text, calma_host::HostError> {
    let bytes = host.tree().read(path.as_bytes(), 64 << 10)?.bytes;
    if path.as_bytes().starts_with(FORMATS) {
        return Ok(if bytes.starts_with(b"enabled") { "1" } else { "0" }.into());
    }
    Ok(bytes.strip_suffix(b"\n").unwrap_or(&bytes).into())
}

/// Whether two values are the same to the kernel, which parts numbers by tabs.
fn same(one: &Text, other: &Text) -> bool {
    let words = |text: &Text| -> Vec<Vec<u8>> {
        let parts = text.as_bytes().split(u8::is_ascii_whitespace);
        parts.filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect()
    };
    words(one) == words(other)
}

fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let Target::Setting { path, value, seen } = &step.target else {
        return Err(Refusal::new("this is not about a setting of the kernel"));
    };
    let bytes = path.as_bytes();
    let inside = PLACES.iter().any(|place| bytes.starts_with(place)) || SINGLE.contains(&bytes);
    let control = |b: &u8| *b < b' ';
    if !inside
        || bytes.split(|b| *b == b'/').any(|part| part == b"..")
        || value.as_bytes().iter().any(control)
    {
        return Err(Refusal::new("that is no setting of the kernel that calma changes"));
    }
    let before = now(looking.host, path).map_err(refused)?;
    if seen.as_ref().is_some_and(|seen| !same(seen, &before)) {
        return Err(Refusal::new("it has another value than when the plan was made")
            .instead("look again: calma triage"));
    }
    if same(&before, value) {
        return Err(Refusal::new("it has this value already"));
    }
    undo(&State { path: path.clone(), before, after: value.clone() })
}

/// Brings it from one value to the other, if nobody gave it a third.
fn bring(acting: &mut Acting<'_>, path: &Text, from: &Text, to: &Text) -> Result<(), Trouble> {
    let now = now(acting.looking.host, path)?;
    if same(&now, to) {
        return Ok(());
    }
    if !same(&now, from) {
        return Err(Trouble::new("it was given another value since; it is left alone"));
    }
    // The line end makes an empty value one that is written.
    Ok(acting.hands().set(path.as_bytes(), &[to.as_bytes(), b"\n"].concat())?)
}

fn apply(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    bring(acting, &state.path, &state.before, &state.after)?;
    Ok(Done::new(format!("it was \"{}\" and is \"{}\"", state.before, state.after)))
}

fn revert(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    bring(acting, &state.path, &state.after, &state.before)?;
    Ok(Done::new(format!("it is \"{}\" again", state.before)))
}

fn verify(looking: &mut Looking<'_>, _: &Step, undo: &Undo, way: Way) -> Verdict {
    let Ok(state) = state::<State>(undo) else {
        return Verdict::Fails("its entry can not be read".to_owned());
    };
    let wanted = if way == Way::Do { &state.after } else { &state.before };
    match now(looking.host, &state.path) {
        Ok(now) if same(&now, wanted) => Verdict::Holds,
        Ok(now) => Verdict::Fails(format!("it is \"{now}\" and not \"{wanted}\"")),
        Err(error) => Verdict::Fails(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_writes_tabs() {
        assert!(same(&"4096\t131072\t6291456".into(), &"4096 131072 6291456\n".into()));
        assert!(same(&"".into(), &"\n".into()) && !same(&"core".into(), &"|/x".into()));
    }
}
