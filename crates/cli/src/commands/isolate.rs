//! `calma isolate` and `calma release`: off the network, shown first, on trial, proved; and back.

use super::isolation_ears as ears;
use super::isolation_suspects as suspects;
use super::isolation_timer as timer;
use super::isolation_words as words;
use crate::args::{Isolate, Release};
use crate::exit::{Exit, Refusal};
use crate::machine::Machine;
use crate::{changes, places, show};
use calma_case::{Case, PlaceKind};
use calma_host::Live;
use calma_isolate::Kept;
use calma_isolate::beat::{Beat, Key};
use calma_isolate::order::{Level, Order, Phase};
use calma_isolate::preview::{Arrival, Preview};
use calma_isolate::proof::Prove;
use calma_isolate::verdict::judge;
use calma_record::Text;
use calma_record::step::{Ended, Plan, Step, Target};
use calma_recovery::{Ask, Engine, Event, Side, look};
use std::io::{BufRead as _, IsTerminal as _};
use std::time::Duration;

/// Longest snapshot of what is gone once the network is cut, in seconds.
const SNAPSHOT: u64 = 5;
/// How long is waited for what comes back from a packet that must not arrive, in milliseconds.
const WAIT: u64 = 700;

/// Isolates, confirms, or says where it stands.
pub(crate) fn run(arguments: &Isolate, machine: &Machine<'_>) -> anyhow::Result<Exit> {
    let side = if arguments.confirm { machine.side_anew()? } else { machine.side()? };
    let kept = kept(&arguments.allow)?;
    let preview = side.isolation(&kept).map_err(|error| Refusal::new(error.to_string(), "try again"))?;
    if arguments.status {
        show::print(&words::status(machine, &preview, arguments.json));
        return Ok(Exit::Done);
    }
    if arguments.confirm {
        return confirm(arguments, machine, side.as_ref(), &preview);
    }
    if arguments.level == 3 {
        show::print(&words::outside(&preview));
        return Ok(Exit::Done);
    }
    if let Some((state, alive)) = &preview.already {
        let instead = match (state.phase, alive) {
            (Phase::Trial, true) => {
                format!("connect anew and confirm: {} isolate --confirm", machine.command())
            }
            _ => format!("see {0} isolate --status, or open it again: {0} release", machine.command()),
        };
        return Err(Refusal::new("it is isolated already", instead));
    }
    let order = order(arguments, &kept, &preview, machine)?;
    // Judging a case takes a moment, which whoever asked for neither is spared.
    let asks = !arguments.yes && !arguments.dry_run;
    let looks = arguments.freeze || asks || arguments.dry_run;
    let looked = looks.then(|| machine.case(arguments.case.as_deref()).ok()).flatten();
    let suspects = suspects::find(looked.as_ref(), side.as_ref(), &order);
    if arguments.json {
        show::print(&words::json_plan(&preview, &order, &suspects));
    } else {
        let named = suspects::words(&suspects, arguments.freeze, asks);
        show::print(&words::plan(machine, &preview, &order, &host_name(machine), &named, arguments.dry_run));
    }
    if arguments.dry_run {
        return Ok(Exit::Done);
    }
    let offer = asks && !arguments.freeze && suspects.iter().any(|one| one.doubt.is_empty());
    let mut freeze = arguments.freeze;
    if asks {
        match question("cut it off", offer.then_some("freeze the suspects, then cut it off"))? {
            Say::Leave => return Ok(Exit::Done),
            Say::Do => {}
            Say::Other => freeze = true,
        }
    }
    let case = case(arguments, machine)?;
    if !arguments.now {
        snapshot(&case, machine);
    }
    if freeze {
        suspects::freeze(&case, machine, side.as_ref(), suspects, arguments.json)?;
    }
    // What arrives now and does not any more is proved; what never arrived is not.
    let listening = ears::begin(&case, machine, &preview, &order);
    let witnesses: Vec<_> = listening.iter().map(|listening| listening.address).collect();
    // Of what is sent before, only what the witness hears counts, so that nothing is waited for; without one it would prove nothing.
    let before = match listening {
        Some(_) => side.prove(Prove { witnesses: witnesses.clone(), wait: 1 }).unwrap_or_default(),
        None => Vec::new(),
    };
    let says = words::order(&order);
    let failed = carry_out(&case, machine, side.as_ref(), "isolate", &order, &says, arguments.json)?;
    if failed {
        return Ok(Exit::Failed);
    }
    let closed = std::time::Instant::now();
    let during = side.prove(Prove { witnesses, wait: WAIT }).unwrap_or_default();
    let heard = listening.and_then(ears::end);
    let ways = judge(&before, &during, heard.as_ref());
    let now = side.isolation(&kept).map_err(|error| machine.silent(error, &case))?;
    if arguments.json {
        show::print(&words::json_verdict(&ways, &now));
    } else {
        show::print(&words::verdict(machine, &ways, &order, &now));
    }
    let open = ways.iter().any(|way| way.verdict == calma_isolate::verdict::Verdict::Open);
    let exit = if timer::applies(arguments, machine, order.trial) {
        timer::keep(arguments, machine, side.as_ref(), &case, closed, order.trial)?
    } else {
        Exit::Done
    };
    Ok(if open && exit == Exit::Done { Exit::Unseen } else { exit })
}

/// Opens again.
pub(crate) fn release(arguments: &Release, machine: &Machine<'_>) -> anyhow::Result<Exit> {
    let side = machine.side()?;
    let preview = side.isolation(&[]).map_err(|error| Refusal::new(error.to_string(), "try again"))?;
    let left = calma_isolate::order::State::default();
    // What is left of an isolation may be a unit alone, which would close again at the next restart.
    let found = preview.already.as_ref().map(|(state, _)| state);
    let Some(state) = found.or(preview.after_restart.then_some(&left)) else {
        show::print("\n  It is not isolated. Nothing was changed.\n");
        return Ok(Exit::Done);
    };
    show::print(&words::release(state, &arguments.only, &host_name(machine)));
    if !arguments.yes && matches!(question("open it", None)?, Say::Leave) {
        return Ok(Exit::Done);
    }
    let case = machine.case(arguments.case.as_deref())?;
    let says = match arguments.only.as_slice() {
        [] => "the network of this host".to_owned(),
        some => format!(
            "port {} of this host, to everybody",
            some.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
        ),
    };
    let order = serde_json::json!({ "only": arguments.only });
    let failed = steps(&case, machine, side.as_ref(), "release", order, &says, arguments.json)?;
    if !failed && !arguments.json {
        show::print(&words::released(
            machine,
            &arguments.only,
            &suspects::still(&case, machine, side.as_ref()),
        ));
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// Confirms, over another connection than the one that isolated.
pub(super) fn confirm(
    arguments: &Isolate,
    machine: &Machine<'_>,
    side: &dyn Side,
    preview: &Preview,
) -> anyhow::Result<Exit> {
    let case = machine.case(arguments.case.as_deref())?;
    let through = preview.arrival.through();
    let order = Order { through, ..Order::default() };
    let failed = carry_out(
        &case,
        machine,
        side,
        "hold-isolation",
        &order,
        "it stays until a person opens it",
        arguments.json,
    )?;
    if !failed && !arguments.json {
        show::print(&words::confirmed(machine));
    }
    Ok(if failed { Exit::Refused } else { Exit::Done })
}

/// The peers that are named.
fn kept(words: &[String]) -> anyhow::Result<Vec<Kept>> {
    let one = |word: &String| {
        word.parse::<Kept>()
            .map_err(|error| Refusal::wrong_use(error.to_string(), "calma isolate --allow ADDR[:LOCALPORT]"))
    };
    words.iter().map(one).collect()
}

/// The order that follows from what was asked and from how the administrator came.
fn order(
    arguments: &Isolate,
    kept: &[Kept],
    preview: &Preview,
    machine: &Machine<'_>,
) -> anyhow::Result<Order> {
    let command = machine.command();
    let level = if arguments.level == 2 { Level::LinksDown } else { Level::Filtered };
    if level == Level::LinksDown && !arguments.console {
        return Err(Refusal::new(
            "with the links down no session stays, so you must be at a console of the machine or its hypervisor",
            format!("at the console: calma isolate --level 2 --console; over the network: {command} isolate"),
        ));
    }
    let mut all = kept.to_vec();
    let through = preview.arrival.through();
    match &preview.arrival {
        Arrival::Through(connection) => {
            if !all.contains(&connection.kept()) {
                all.push(connection.kept());
            }
        }
        Arrival::Console(_) | Arrival::Unclear(_) if arguments.console || !all.is_empty() => {}
        Arrival::Console(terminal) => {
            return Err(Refusal::new(
                format!("you sit at {terminal}, so nobody could confirm over the network"),
                "calma isolate --console, which closes without a trial",
            ));
        }
        Arrival::Unclear(logins) => {
            let found = logins.iter().next().map(|one| one.kept());
            let instead = match (logins.len(), found) {
                (1, Some(only)) => format!(
                    "{command} isolate --allow {} (found: the only login that is connected), or --console if you sit at one",
                    words::address(&only)
                ),
                _ => format!("{command} isolate --allow YOUR-ADDRESS:22, or --console if you sit at one"),
            };
            return Err(Refusal::new("I could not tell which connection is yours", instead));
        }
    }
    let trial = if arguments.console { 0 } else { arguments.trial };
    let beat = match (&arguments.witness, machine, &preview.arrival) {
        (Some(word), ..) => Some(word.parse::<Beat>().map_err(|error| {
            Refusal::wrong_use(
                error.to_string(),
                "calma isolate --witness ADDR/KEY, as calma witness shows it",
            )
        })?),
        // This machine is a witness by itself.
        (None, Machine::At(..), Arrival::Through(connection)) => {
            Key::new().map(|key| Beat { to: connection.peer, key })
        }
        _ => None,
    };
    let (without_owner, after_restart) = (arguments.without_owner, arguments.after_restart);
    let leases = preview.leases.clone();
    Ok(Order {
        level,
        kept: all,
        trial,
        through,
        leases,
        beat,
        without_owner,
        after_restart,
        ..Order::default()
    })
}

/// The case that was named, the newest one about the machine, or a new one.
fn case(arguments: &Isolate, machine: &Machine<'_>) -> anyhow::Result<Case> {
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
fn snapshot(case: &Case, machine: &Machine<'_>) {
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

fn carry_out(
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
fn steps(
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

/// What the host is called.
fn host_name(machine: &Machine<'_>) -> String {
    match machine {
        Machine::Here => "this host".to_owned(),
        Machine::At(_, host) => Text::from(*host).to_string(),
    }
}

/// What was answered.
enum Say {
    Do,
    Other,
    Leave,
}

/// Asks, with another way to do it where there is one.
fn question(what: &str, other: Option<&str>) -> anyhow::Result<Say> {
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
