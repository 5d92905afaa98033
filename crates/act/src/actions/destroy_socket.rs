//! Ends one connection, as if its peer had reset it, without ending the program that holds it.

use crate::Acting;
use crate::action::{Action, Card, Done, Looking, Trouble, Verdict, refused, state, undo};
use calma_host::ground::socket;
use calma_record::step::{Refusal, SocketFound, SocketName, Step, Target, Undo, Undoable, Way};
use serde::{Deserialize, Serialize};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "destroy-socket",
        doc: "Ends one connection at once; the program that holds it hears that it was aborted.",
        csf: "RS.MI-01",
        undoable: Undoable::Irreversible,
        back: "cannot be undone",
        against: "Both ends can connect again at once: cut the server off first, and freeze the program that holds it.",
    },
    ready: None,
    prepare,
    apply,
    verify,
    revert,
};

/// States of net/tcp_states.h.
const CLOSED: u8 = 7;
const LISTENING: u8 = 10;

#[derive(Serialize, Deserialize)]
struct State {
    name: SocketName,
    found: SocketFound,
}

fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let Target::Socket(name) = &step.target else {
        return Err(Refusal::new("this is not about a connection"));
    };
    let found = socket(name).map_err(refused)?;
    let Some(found) = found.filter(|found| found.state != CLOSED || found.protocol != 6) else {
        return Err(Refusal::new("the connection has ended"));
    };
    if found.state == LISTENING {
        return Err(Refusal::new("it waits for connections and is none; ending it would end a service"));
    }
    let inode = format!("socket:[{}]", found.inode).into_bytes();
    for (own, why) in &looking.keep_off.processes {
        let folder = format!("/proc/{}/fd", own.pid);
        let links = looking.host.tree().list(folder.as_bytes()).unwrap_or_default();
        let holds = links.iter().any(|entry| {
            let path = calma_host::join(folder.as_bytes(), entry.name.as_bytes());
            looking.host.tree().link(&path).is_ok_and(|link| link == inode)
        });
        if holds && found.inode != 0 {
            return Err(Refusal::new(format!("process {} holds it, which {why}", own.pid)));
        }
    }
    undo(&State { name: name.clone(), found })
}

fn apply(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    match acting.hands().destroy(&state.found) {
        Err(error) if error.is_missing() => Ok(Done::new("the connection had ended")),
        Err(error) if error.is_unsupported() => Err(Trouble::new(
            "this kernel can not end a connection from outside (it lacks INET_DIAG_DESTROY)",
        )),
        other => other.map(|()| Done::new("ended")).map_err(Trouble::from),
    }
}

fn verify(_: &mut Looking<'_>, _: &Step, undo: &Undo, way: Way) -> Verdict {
    let Ok(state) = state::<State>(undo) else {
        return Verdict::Fails("its entry can not be read".to_owned());
    };
    if way == Way::Undo {
        return Verdict::Holds;
    }
    match socket(&state.name) {
        Ok(Some(now)) if now.id == state.found.id && now.state != CLOSED => {
            Verdict::Fails("the connection is still there".to_owned())
        }
        Ok(Some(now)) if now.id != state.found.id && now.state == 1 => {
            Verdict::Fails("both ends have connected again".to_owned())
        }
        Ok(_) => Verdict::Holds,
        Err(error) => Verdict::Fails(error.to_string()),
    }
}

fn revert(_: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    Ok(match socket(&state.name) {
        Ok(Some(now)) if now.id == state.found.id && now.state != CLOSED => Done::new("it was not ended"),
        _ => Done::new("a connection does not come back; its program can make a new one"),
    })
}
