//! `calma isolate` and `calma release`: off the network, shown first, on trial, proved; and back.

use super::isolation_ears as ears;
use super::isolation_order::{kept, order};
use super::isolation_steps::{Say, carry_out, case, question, snapshot, steps};
use super::isolation_suspects as suspects;
use super::isolation_timer as timer;
use super::isolation_words as words;
use crate::args::{Isolate, Release};
use crate::exit::{Exit, Refusal};
use crate::machine::Machine;
use crate::show;
use calma_isolate::order::{Order, Phase};
use calma_isolate::preview::Preview;
use calma_isolate::proof::Prove;
use calma_isolate::verdict::judge;
use calma_record::Text;
use calma_recovery::Side;
use calma_views::text::wrap;

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
        let exit = confirm(arguments, machine, side.as_ref(), &preview)?;
        if exit != Exit::Done {
            not_done(arguments.json, &format!("see where it stands: {} isolate --status", machine.command()));
        }
        return Ok(exit);
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
        if freeze && !arguments.json {
            show::print(&suspects::still(&case, machine, side.as_ref()));
        }
        let next = "put right what is said above and give the command again, or cut it from outside:";
        not_done(arguments.json, &format!("{next} {} isolate --level 3", machine.command()));
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
    if failed {
        not_done(arguments.json, &format!("see where it stands: {} isolate --status", machine.command()));
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// Says how to go on where a step did not work; why, its outcome has said.
fn not_done(json: bool, next: &str) {
    if !json {
        show::print(&format!("\n{}", wrap("  Next: ", next)));
    }
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

/// What the host is called.
fn host_name(machine: &Machine<'_>) -> String {
    match machine {
        Machine::Here => "this host".to_owned(),
        Machine::At(_, host) => Text::from(*host).to_string(),
    }
}
