//! Cuts this host off the network but for what is kept, on trial or, at a console, for good. A guard holds it.

use crate::Acting;
use crate::action::{Action, Card, Done, Looking, Trouble, Verdict, undo};
use calma_host::ground::boot;
use calma_isolate::control::{self, Ask, Say};
use calma_isolate::live::LiveWorld;
use calma_isolate::order::{Order, Phase};
use calma_isolate::restart;
use calma_isolate::serve::Began;
use calma_isolate::start;
use calma_record::step::{Refusal, Step, Target, Undo, Undoable, Way};
use std::sync::Arc;
use std::time::Duration;

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "isolate",
        doc: "Cuts the host off the network at every namespace and device, but for loopback and the session that is kept.",
        csf: "RS.MI-01",
        undoable: Undoable::Reversible,
        back: "undo: release",
        against: "With root's rights an intruder can end the guard, and then undo what holds: the guard's end is noticed from \
                  outside, and before a confirmation opens the network. AF_XDP sockets and BPF programs send frames that no \
                  packet filter sees: only links that are down, or a cable that is out, stop those.",
    },
    ready: None,
    prepare,
    apply,
    verify,
    revert,
};

/// The longest wait for the guard to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The order in a step.
pub(super) fn order(step: &Step) -> Result<Order, Refusal> {
    let Target::Network { order, .. } = &step.target else {
        return Err(Refusal::new("this is not about the network"));
    };
    serde_json::from_value(order.clone())
        .map_err(|error| Refusal::new(format!("the order to isolate can not be read: {error}")))
}

fn prepare(_: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let order = order(step)?;
    if order.trial > 0 && order.kept.is_empty() {
        return Err(
            Refusal::new("nobody is kept, so that nobody could confirm").instead("name a peer with --allow")
        );
    }
    if let Some(why) = restart::why_not().filter(|_| order.after_restart) {
        return Err(Refusal::new(format!("a restart can not stay isolated: {why}"))
            .instead("leave --after-restart out; a restart then opens it"));
    }
    match start::status(&boot()) {
        Ok(None) => undo(&order),
        Ok(Some(_)) => {
            Err(Refusal::new("it is isolated already").instead("calma isolate --status, or calma release"))
        }
        Err(error) => Err(Refusal::new(format!("whether it is isolated can not be told: {error}"))),
    }
}

fn apply(_: &mut Acting<'_>, step: &Step, _: &Undo) -> Result<Done, Trouble> {
    // A crash may have come after the guard began.
    if let Ok(Some((state, true))) = start::status(&boot()) {
        return Ok(Done::new("closed, by the guard that was there already").leaving(state));
    }
    let order = order(step).map_err(|refusal| Trouble::new(refusal.why))?;
    match start::start(&order) {
        Ok(Began::Closed { state, took, window, lacking, said }) => {
            let devices: usize = state.cuts.iter().map(|cut| cut.devices.len()).sum();
            let count = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
            let (devices, places) = (count(devices, "device"), count(state.cuts.len(), "network namespace"));
            let mut says = format!(
                "closed within {took} ms ({window} ms from the first to the last): {devices} in {places}"
            );
            for one in &said {
                says.push_str(&format!("; {one}"));
            }
            if state.order.after_restart && state.phase == Phase::Held {
                says.push_str(&format!("; {}", stay(&state.order)));
            }
            for one in &lacking {
                says.push_str(&format!("; the guard could not have {one}"));
            }
            Ok(Done::new(says).leaving(state))
        }
        Ok(Began::Refused { why }) => Err(Trouble::new(why)),
        Err(error) => Err(Trouble::new(format!("the guard could not be started: {error}"))),
    }
}

fn verify(_: &mut Looking<'_>, _: &Step, _: &Undo, way: Way) -> Verdict {
    match (start::status(&boot()), way) {
        (Ok(Some((_, true))), Way::Do) | (Ok(None), Way::Undo) => Verdict::Holds,
        (Ok(Some((_, false))), Way::Do) => Verdict::Fails("its guard has ended".to_owned()),
        (Ok(None), Way::Do) => Verdict::Fails("it is open again".to_owned()),
        (Ok(Some(_)), Way::Undo) => Verdict::Fails("it is still isolated".to_owned()),
        (Err(error), _) => Verdict::Fails(format!("its state can not be read: {error}")),
    }
}

/// Writes the unit that keeps a restart isolated; what came of it, in words. Without it the isolation stands all the same.
pub(super) fn stay(order: &Order) -> String {
    match restart::install(order) {
        Ok(()) => "a unit keeps it isolated after a restart too".to_owned(),
        Err(error) => format!("a restart opens it: the unit could not be written ({error})"),
    }
}

/// Opens everything again, through the guard or without it.
pub(super) fn release() -> Result<Done, Trouble> {
    // First: whatever comes in between, no restart closes again what a person opened.
    restart::remove().map_err(|error| Trouble::new(format!("the unit for a restart stays: {error}")))?;
    let found = start::status(&boot()).map_err(|error| Trouble::new(error.to_string()))?;
    let Some((left, alive)) = found else {
        return Ok(Done::new("it was open already"));
    };
    let lacking = if alive {
        match control::ask(&Ask::Release { only: Vec::new() }, PATIENCE) {
            Ok(Say::Done { says, .. }) => says,
            Ok(Say::Refused { why, .. }) => return Err(Trouble::new(why)),
            Ok(_) => return Err(Trouble::new("the guard answered something else")),
            Err(error) => return Err(Trouble::new(format!("the guard does not answer: {error}"))),
        }
    } else {
        let world = LiveWorld::new(Arc::new(calma_host::Live::new()));
        start::open_without_guard(&world, &left)
    };
    match lacking.as_slice() {
        [] if !alive && !left.off.is_empty() => Ok(Done::new(format!(
            "open again; not put back, since the guard that held them is gone: {} (start anew what attached them)",
            left.off.join(", ")
        ))),
        [] => Ok(Done::new("open again, as it was")),
        some => Err(Trouble::new(some.join("; "))),
    }
}

fn revert(_: &mut Acting<'_>, _: &Step, _: &Undo) -> Result<Done, Trouble> {
    release()
}
