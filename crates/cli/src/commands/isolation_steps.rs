//! Steps about the network: the case they stand in, what is kept before, the question, and the journal.

use crate::args::Isolate;
use crate::exit::Refusal;
use crate::machine::Machine;
use crate::{changes, places, show};
use calma_case::{Case, PlaceKind};
use calma_host::Live;
use calma_isolate::order::Order;
use calma_record::step::{Ended, Plan, Step, Target};
use calma_recovery::{Ask, Engine, Event, Side, look};
use std::io::{BufRead as _, IsTerminal as _};
use std::time::Duration;

/// Longest snapshot of what is gone once the network is cut, in seconds.
const SNAPSHOT: u64 = 5;

/// The case that was named, the newest one about the machine, or a new one.
pub(super) fn case(arguments: &Isolate, machine: &Machine<'_>) -> anyhow::Result<Case> {
    let case = match machine.case(arguments.case.as_deref()) {
        Ok(case) => case,
        Err(_) => match machine {
            Machine::Here => places::for_changes(arguments.case.as_deref(), None)?,
            Machine::At(_, host) => places::for_changes(arguments.case.as_deref(), Some(host))?,
        },
    };
    if case.about().place == PlaceKind::Memory {
        return Err(super::contain::not_durable());
    }
    Ok(case)
}

/// Looks at what is gone once the network is cut: connections, neighbours, processes. It is no reason not to isolate.
pub(super) fn snapshot(case: &Case, machine: &Machine<'_>) {
    eprintln!("  Keeping what is gone once it is cut (at most {SNAPSHOT} s)");
    let mut ask = Ask { max_time: Some(Duration::from_secs(SNAPSHOT)), ..Ask::default() };
    (ask.options.quick, ask.options.no_pid_range, ask.options.hurry) = (true, true, true);
    let clock = Live::new();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let looked = machine.host_side().map(|mut host_side| {
        look(case, host_side.as_mut(), &ask, calma_host::Host::clock(&clock), &stop, &mut |_| {})
    });
    match looked {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => eprintln!("  It could not be kept: {error}"),
        Err(error) => eprintln!("  It could not be kept: {error}"),
    }
}

/// Carries one step that has an order out; whether it failed.
pub(super) fn carry_out(
    case: &Case,
    machine: &Machine<'_>,
    side: &dyn Side,
    action: &str,
    order: &Order,
    says: &str,
    json: bool,
) -> anyhow::Result<bool> {
    steps(case, machine, side, action, serde_json::to_value(order)?, says, json)
}

/// Carries one step about the network out; whether it failed.
pub(super) fn steps(
    case: &Case,
    machine: &Machine<'_>,
    side: &dyn Side,
    action: &str,
    order: serde_json::Value,
    says: &str,
    json: bool,
) -> anyhow::Result<bool> {
    let step = Step {
        number: 1,
        action: action.to_owned(),
        target: Target::Network { order, says: says.to_owned() },
        story: 0,
        findings: Vec::new(),
        ticked: true,
        doubt: String::new(),
    };
    carry(case, machine, side, vec![step], json)
}

/// Carries steps out; whether one failed.
pub(super) fn carry(
    case: &Case,
    machine: &Machine<'_>,
    side: &dyn Side,
    steps: Vec<Step>,
    json: bool,
) -> anyhow::Result<bool> {
    // Its own name for itself: after a restart the case is known by it.
    let host = side.name().clone();
    let plan = Plan { schema: 1, host, boot: side.boot().clone(), made: calma_case::now(), steps };
    let mut failed = false;
    let mut engine = Engine::start(case, side).map_err(|error| machine.refusal(error, case))?;
    let first = engine.history().steps().last().map_or(1, |past| past.intent.id + 1);
    let done = engine.carry_out(&plan, &mut |event| {
        failed |= match event {
            Event::Ended(_, outcome) => outcome.ended != Ended::Done,
            Event::Refused(..) => true,
            Event::Begins(..) => false,
        };
        if !json {
            show::print(&changes::event(event));
        }
    });
    let outcomes = changes::json_steps(engine.history(), first);
    engine.end()?;
    if json {
        show::print(&outcomes);
    }
    done.map_err(|error| machine.refusal(error, case))?;
    Ok(failed)
}

/// What was answered.
pub(super) enum Say {
    /// Do it.
    Do,
    /// Do it the other way.
    Other,
    /// Leave it.
    Leave,
}

/// Asks, with another way to do it where there is one.
pub(super) fn question(what: &str, other: Option<&str>) -> anyhow::Result<Say> {
    if !std::io::stdin().is_terminal() {
        return Err(Refusal::new(
            "nobody is there to be asked",
            "give --yes to do it, or --dry-run to see it only",
        ));
    }
    let other_words = other.map_or_else(String::new, |other| format!("   f: {other}"));
    show::print(&format!("\n  Enter: {what}{other_words}   q: leave it\n  "));
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line)?;
    match line.trim() {
        "" if read > 0 => Ok(Say::Do),
        "f" if other.is_some() => Ok(Say::Other),
        _ => {
            show::print("\n  Left as it is. Nothing was changed.\n");
            Ok(Say::Leave)
        }
    }
}
