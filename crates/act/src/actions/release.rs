//! Opens the network again: all of it, or ports of this host to everybody.

use super::isolate;
use crate::Acting;
use crate::action::{Action, Card, Done, Looking, Trouble, Verdict};
use calma_host::ground::boot;
use calma_isolate::control::{self, Ask, Say};
use calma_isolate::restart;
use calma_isolate::start;
use calma_record::step::{Refusal, Step, Target, Undo, Undoable, Way};
use std::time::Duration;

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "release",
        doc: "Ends an isolation and makes the network as it was, or opens single ports of this host first.",
        csf: "RC.RP-01",
        undoable: Undoable::Compensable,
        back: "undo: calma isolate",
        against: "Whatever the intruder still has here is reachable again: contain first.",
    },
    ready: None,
    prepare,
    apply,
    verify,
    revert: |_: &mut Acting<'_>, _: &Step, _: &Undo| -> Result<Done, Trouble> {
        Ok(Done::new("the network is open; calma isolate closes it again"))
    },
};

/// The ports in a step; none for all of the network.
fn ports(step: &Step) -> Result<Vec<u16>, Refusal> {
    let Target::Network { order, .. } = &step.target else {
        return Err(Refusal::new("this is not about the network"));
    };
    serde_json::from_value(order.get("only").cloned().unwrap_or_else(|| serde_json::json!([])))
        .map_err(|error| Refusal::new(format!("the ports can not be read: {error}")))
}

fn prepare(_: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let ports = ports(step)?;
    match start::status(&boot()) {
        Ok(None) if !restart::is_there() => Err(Refusal::new("it is not isolated")),
        Ok(None) => Ok(Undo::default()),
        Ok(Some((_, false))) if !ports.is_empty() => {
            Err(Refusal::new("the guard is gone, and only it opens single ports")
                .instead("calma release opens all"))
        }
        Ok(Some(_)) => Ok(Undo::default()),
        Err(error) => Err(Refusal::new(format!("its state can not be read: {error}"))),
    }
}

fn apply(_: &mut Acting<'_>, step: &Step, _: &Undo) -> Result<Done, Trouble> {
    let only = ports(step).map_err(|refusal| Trouble::new(refusal.why))?;
    if only.is_empty() {
        return isolate::release();
    }
    match control::ask(&Ask::Release { only }, Duration::from_secs(30)) {
        Ok(Say::Done { says, .. }) => Ok(Done::new(says.join("; "))),
        Ok(Say::Refused { why, .. }) => Err(Trouble::new(why)),
        Ok(_) => Err(Trouble::new("the guard answered something else")),
        Err(error) => Err(Trouble::new(format!("the guard does not answer: {error}"))),
    }
}

fn verify(_: &mut Looking<'_>, step: &Step, _: &Undo, way: Way) -> Verdict {
    let wanted = ports(step).unwrap_or_default();
    match (start::status(&boot()), way) {
        (_, Way::Undo) | (Ok(None), Way::Do) => Verdict::Holds,
        (Ok(Some((state, true))), Way::Do) if !wanted.is_empty() => {
            let open = wanted.iter().all(|port| state.open.contains(port));
            if open {
                Verdict::Holds
            } else {
                Verdict::Fails("some of the ports are still closed".to_owned())
            }
        }
        _ => Verdict::Fails("it is still isolated".to_owned()),
    }
}
