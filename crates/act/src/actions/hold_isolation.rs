//! Makes an isolation stay: somebody has come back through a new connection. What is still connected is ended.

use super::isolate::{order, stay};
use crate::Acting;
use crate::action::{Action, Card, Done, Looking, Trouble, Verdict, undo};
use calma_host::ground::boot;
use calma_isolate::control::{self, Ask, Say};
use calma_isolate::order::Phase;
use calma_isolate::start;
use calma_record::step::{Refusal, Step, Undo, Undoable, Way};
use std::time::Duration;

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "hold-isolation",
        doc: "Confirms an isolation that is on trial: it stays, also without its guard, and connections that are not kept end.",
        csf: "RS.MI-01",
        undoable: Undoable::Irreversible,
        back: "cannot be undone: connections that are ended stay ended (calma release opens the network)",
        against: "Whoever holds the kernel can take tables away that outlive their guard; the guard puts them back as long as \
                  it lives, and only a witness outside can tell when it does not.",
    },
    ready: None,
    prepare,
    apply,
    verify,
    revert: |_: &mut Acting<'_>, _: &Step, _: &Undo| -> Result<Done, Trouble> {
        Ok(Done::new("connections that were ended do not come back; calma release opens the network"))
    },
};

fn prepare(_: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let order = order(step)?;
    match start::status(&boot()) {
        Ok(Some((state, true))) => match state.phase {
            Phase::Held => Err(Refusal::new("it is confirmed already")),
            Phase::Trial if !state.order.through.is_empty() && state.order.through == order.through => {
                Err(Refusal::new(
                    "this is the connection that was there before: it proves nothing about new ones",
                )
                .instead("connect anew, and confirm from there"))
            }
            Phase::Trial => undo(&order),
        },
        Ok(Some((_, false))) => {
            Err(Refusal::new("its guard is gone").instead("calma release, then calma isolate again"))
        }
        Ok(None) => {
            Err(Refusal::new("there is nothing to confirm: the network is open").instead("calma isolate"))
        }
        Err(error) => Err(Refusal::new(format!("its state can not be read: {error}"))),
    }
}

fn apply(_: &mut Acting<'_>, step: &Step, _: &Undo) -> Result<Done, Trouble> {
    let order = order(step).map_err(|refusal| Trouble::new(refusal.why))?;
    match control::ask(&Ask::Confirm { through: order.through }, Duration::from_secs(60)) {
        Ok(Say::Done { mut says, state }) => {
            if let Some(state) = state.filter(|state| state.order.after_restart) {
                says.push(stay(&state.order));
            }
            Ok(Done::new(says.join("; ")))
        }
        Ok(Say::Refused { why, .. }) => Err(Trouble::new(why)),
        Ok(_) => Err(Trouble::new("the guard answered something else")),
        Err(error) => Err(Trouble::new(format!("the guard does not answer: {error}"))),
    }
}

fn verify(_: &mut Looking<'_>, _: &Step, _: &Undo, way: Way) -> Verdict {
    match (start::status(&boot()), way) {
        (_, Way::Undo) => Verdict::Holds,
        (Ok(Some((state, true))), Way::Do) if state.phase == Phase::Held => Verdict::Holds,
        _ => Verdict::Fails("it is not confirmed".to_owned()),
    }
}
