//! Takes a BPF program off everything it is attached to, and removes what keeps it there.

use crate::action::{Action, Card, Done, Looking, Trouble, Verdict, refused, state, undo};
use crate::{Acting, Piece};
use calma_host::Host;
use calma_host::ground::{attachments, instructions};
use calma_record::step::{Attachment, Refusal, Step, Target, Undo, Undoable, Way};
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "detach-program",
        doc: "Detaches a BPF program from interfaces, control groups and the kernel's own functions, and removes its pins.",
        csf: "RS.MI-02",
        undoable: Undoable::Irreversible,
        back: "cannot be undone; its instructions are kept",
        against: "A process that holds a link of it keeps it attached: end that first. Whatever loaded it can load it again, \
                  and a program that already changes what bpf(2) answers hides the others.",
    },
    ready: None,
    prepare,
    apply,
    verify,
    revert,
};

/// How often it is looked again: the kernel lets go of a link a moment after its last holder.
const LOOKS: u32 = 100;

#[derive(Serialize, Deserialize)]
struct State {
    program: u32,
    tag: String,
    at: Vec<Attachment>,
    /// Its instructions as the kernel shows them.
    kept: Piece,
}

/// Whether the number is still this program's.
fn is_there(host: &dyn Host, id: u32, tag: &str) -> Result<bool, calma_host::HostError> {
    let Some(kernel) = host.kernel() else { return Ok(false) };
    match kernel.bpf().program(id) {
        Ok(program) => Ok(format!("{:016x}", u64::from_be_bytes(program.tag)) == tag),
        Err(error) if error.is_missing() => Ok(false),
        Err(error) => Err(error),
    }
}

fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let Target::Program { id, tag, name } = &step.target else {
        return Err(Refusal::new("this is not about a BPF program"));
    };
    if !is_there(looking.host, *id, tag).map_err(refused)? {
        return Err(Refusal::new("it is not loaded any more"));
    }
    let at = attachments(*id);
    if at.is_empty() {
        return Err(Refusal::new("it is attached nowhere that calma sees; it ends with whoever holds it"));
    }
    let bytes = instructions(*id).map_err(refused)?;
    let what = format!("instructions of BPF program {id} (\"{name}\"), tag {tag}");
    let kept = looking.vault.keep(&what, &format!("bpf program {id}").into(), None, &mut bytes.as_slice())?;
    looking.vault.check(&kept.digest)?;
    undo(&State { program: *id, tag: tag.clone(), at, kept })
}

fn apply(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    if !is_there(acting.looking.host, state.program, &state.tag)? {
        return Ok(Done::new("it is not loaded any more"));
    }
    for place in &state.at {
        match acting.hands().detach(state.program, place) {
            // A tracing link has no order of its own: it ends with its pins and holders.
            Err(error) if error.is_missing() || error.is_unsupported() => {}
            other => other?,
        }
    }
    Ok(Done::new(format!("detached from {}", words(&state.at))))
}

/// "an interface, a control group".
fn words(at: &[Attachment]) -> String {
    let mut kinds: Vec<&str> = at
        .iter()
        .map(|one| match one {
            Attachment::Pin { .. } => "a pin",
            Attachment::Link { kind: 3, .. } | Attachment::Group { .. } => "a control group",
            Attachment::Link { kind: 6 | 11 | 13, .. }
            | Attachment::Interface { .. }
            | Attachment::Filter { .. } => "an interface",
            Attachment::Link { .. } => "a place in the kernel",
        })
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.join(", ")
}

fn verify(looking: &mut Looking<'_>, _: &Step, undo: &Undo, way: Way) -> Verdict {
    let Ok(state) = state::<State>(undo) else {
        return Verdict::Fails("its entry can not be read".to_owned());
    };
    if way == Way::Undo {
        return Verdict::Holds;
    }
    let mut left = Vec::new();
    for _ in 0..LOOKS {
        if !is_there(looking.host, state.program, &state.tag).unwrap_or(true) {
            return Verdict::Holds;
        }
        left = attachments(state.program);
        if left.is_empty() {
            return Verdict::Holds;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Verdict::Fails(format!("it is still attached to {}: a process holds it; end that first", words(&left)))
}

fn revert(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let there = is_there(acting.looking.host, state.program, &state.tag).unwrap_or(false);
    if there && attachments(state.program) == state.at {
        return Ok(Done::new("it was not detached"));
    }
    Ok(Done::new(
        "it can not be attached again by calma: whoever loaded it can; its instructions are in the case",
    ))
}
