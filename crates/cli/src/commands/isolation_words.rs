//! An isolation in words: what it would do, what was proved, where it stands.

use crate::machine::Machine;
use calma_isolate::Kept;
use calma_isolate::groups::CAN;
use calma_isolate::order::{Level, Order, Phase, State};
use calma_isolate::preflight::{Concern, Weight};
use calma_isolate::preview::{Arrival, Preview};
use calma_isolate::verdict::{Verdict, Way};
use calma_recovery::Suspect;
use calma_views::text::wrap;
use serde_json::json;

/// A kept peer as `--allow` takes it.
pub(crate) fn address(kept: &Kept) -> String {
    match (kept.port, kept.peer.is_ipv6()) {
        (Some(port), true) => format!("[{}]:{port}", kept.peer),
        (Some(port), false) => format!("{}:{port}", kept.peer),
        (None, _) => kept.peer.to_string(),
    }
}

/// The order, for the journal.
pub(crate) fn order(order: &Order) -> String {
    let stays = match order.kept.as_slice() {
        [] => "nothing stays but loopback".to_owned(),
        some => format!(
            "what stays: loopback, {}",
            some.iter().map(Kept::to_string).collect::<Vec<_>>().join(", ")
        ),
    };
    let level = if order.level == Level::LinksDown { "all links" } else { "every device that leads out" };
    format!("{level}; {stays}")
}

/// What will be done, before it is.
pub(crate) fn plan(
    machine: &Machine<'_>,
    preview: &Preview,
    order: &Order,
    host: &str,
    suspects: &str,
    dry: bool,
) -> String {
    let mut out = format!(
        "\n  This {} cut {host} off the network. Nothing has been changed yet.\n\n",
        if dry { "would" } else { "will" }
    );
    for place in &preview.places {
        let lead = if place.own { "  Cut          " } else { "               " };
        let place_words = if place.own {
            String::new()
        } else {
            format!(" in {} ({} processes)", place.file, place.processes)
        };
        out.push_str(&wrap(lead, &format!("{}{place_words}", place.devices.join(", "))));
    }
    for kept in &order.kept {
        out.push_str(&wrap("  Stays        ", &kept.to_string()));
    }
    out.push_str(&wrap("  Stays        ", "loopback, and what both ends of are inside this host"));
    if let Some(beat) = &order.beat {
        let words =
            format!("one datagram a second to {}, which tells a witness there that the guard lives", beat.to);
        out.push_str(&wrap("  Stays        ", &words));
    }
    let ports: Vec<String> = preview.listening.iter().map(u16::to_string).collect();
    if !ports.is_empty() {
        out.push_str(&wrap(
            "  Breaks       ",
            &format!(
                "nobody else reaches {} {}",
                if ports.len() == 1 { "port" } else { "ports" },
                ports.join(", ")
            ),
        ));
    }
    out.push_str(&wrap(
        "               ",
        "name lookups, updates, mail, remote logs and backups, the cloud's metadata; users see timeouts",
    ));
    let restart =
        if order.after_restart { "a restart does not open it" } else { "a restart opens it as well" };
    let back = match (order.level, order.trial) {
        (Level::LinksDown, _) => format!("with calma release, at the console; {restart}"),
        (_, 0) => {
            format!("with calma release; there is no trial, since you sit at a console; {restart}")
        }
        (_, seconds) => format!(
            "by itself after {seconds} s, exactly as it was, unless you confirm over a new connection; after that with \
             calma release; {restart}"
        ),
    };
    out.push_str(&wrap("  Comes back   ", &back));
    let trial = order.trial > 0 && order.level == Level::Filtered;
    if trial && (order.without_owner || preview.owner == Some(false)) {
        out.push_str(&wrap(
            "               ",
            "this kernel does not take rules away with their guard (Linux 5.12 does): a second guardian opens when the guard \
             ends during the trial; if both are ended at once it stays closed, with your session, until calma release",
        ));
    }
    if order.after_restart {
        out.push_str(&wrap(
            "  Writes       ",
            "once confirmed: /etc/systemd/system/calma-isolation.service and a copy of calma in /var/lib/calma/isolation; a \
             release removes both. After a restart an address by DHCP may not come: have a console, or a fixed address",
        ));
    }
    out.push_str(&wrap(
        "  Not undone   ",
        if trial {
            "once you confirm, connections that are not kept end (also of programs that would rather keep them), and \
             foreign programs at devices are put out of action until a release"
        } else {
            "connections that are not kept end at once (also of programs that would rather keep them); foreign programs \
             at devices are put out of action until a release"
        },
    ));
    for one in &preview.closed {
        out.push_str(&wrap("  Not reached  ", one));
    }
    out.push_str(&groups(&preview.groups));
    out.push_str(suspects);
    out.push('\n');
    out.push_str(&concerns(&preview.concerns));
    if dry {
        out.push_str(&wrap("\n  Next: ", &format!("{} isolate", machine.command())));
    }
    out
}

/// Programs of control groups, which stay, with what they can do.
fn groups(groups: &[String]) -> String {
    let mut out = String::new();
    for one in groups {
        out.push_str(&wrap("  Stays on     ", one));
    }
    if !groups.is_empty() {
        let can = format!("of {}: {CAN}", if groups.len() == 1 { "this" } else { "each" });
        out.push_str(&wrap("               ", &can));
    }
    out
}

/// What may go wrong outside or by itself, each with what to do first.
fn concerns(concerns: &[Concern]) -> String {
    if concerns.is_empty() {
        return wrap(
            "  ",
            "Nothing was found here that would destroy or replace the server when it falls silent.",
        );
    }
    let mut out = String::from("  Do first, outside of it:\n");
    for concern in concerns.iter().take(8) {
        let mark = if concern.weight == Weight::Destroys { "  !  " } else { "  -  " };
        out.push_str(&wrap(mark, &format!("{}. {} {}", concern.what, concern.consequence, concern.outside)));
    }
    if concerns.len() > 8 {
        out.push_str(&wrap(
            "  ",
            &format!("And {} smaller things: calma isolate --dry-run --json", concerns.len() - 8),
        ));
    }
    out
}

/// The exact steps of level 3.
pub(crate) fn outside(preview: &Preview) -> String {
    let mut out = String::from("\n  Level 3 is done outside of the host. Nothing was changed.\n\n");
    for line in &preview.outside {
        out.push_str(&if line.starts_with("At ") { format!("\n  {line}\n") } else { wrap("    ", line) });
    }
    out.push_str(
        "\n  Next: do it there, and see that it is cut; then look at its disk from another system.\n",
    );
    out
}

/// What was proved, and what to do now.
pub(crate) fn verdict(machine: &Machine<'_>, ways: &[Way], order: &Order, now: &Preview) -> String {
    let mut out = String::from("\n");
    for verdict in [Verdict::Open, Verdict::NotTested, Verdict::StoppedHere, Verdict::StoppedOutside] {
        let these: Vec<&Way> = ways.iter().filter(|way| way.verdict == verdict).collect();
        if these.is_empty() {
            continue;
        }
        let names: Vec<&str> = these.iter().map(|way| way.way.as_str()).collect();
        out.push_str(&wrap(&format!("  {}: ", capital(verdict.words())), &names.join(", ")));
    }
    for gap in now.already.iter().flat_map(|(state, _)| &state.gaps) {
        out.push_str(&wrap("  Not cut: ", gap));
    }
    out.push_str(&groups(now.already.as_ref().map_or(&[], |(state, _)| state.groups.as_slice())));
    out.push('\n');
    let level = match order.level {
        Level::Filtered => {
            "Closed, as a filter on the host closes it: partial. Whoever is root on it can still send past the filter (AF_XDP, \
             programs of its own); a witness outside would see that. Only links that are down, seen from outside, or a \
             pulled cable are more."
        }
        Level::LinksDown => {
            "The links are down. Seen from outside by a witness, or at the switch, that is isolation."
        }
    };
    out.push_str(&wrap("  ", level));
    out.push('\n');
    if let (Machine::At(..), Some(beat), Arrival::Through(one)) = (machine, &order.beat, &now.arrival) {
        let kept = address(&one.kept());
        let words = format!("calma witness --host {} --kept {kept} --key {}", one.local, beat.key);
        out.push_str(&wrap("  ", &format!("To notice from here on when its guard is gone: {words}")));
    }
    let (state, command) = (now.already.as_ref().map(|(state, _)| state), machine.command());
    match (order.trial, state) {
        (0, _) => out.push_str(&wrap("  Next: ", &format!("stop what was found: {command} contain"))),
        (seconds, _) => out.push_str(&wrap(
            "  Next: ",
            &format!(
                "open a new connection to it within {seconds} s, and there, so that it stays: {command} isolate --confirm. \
                 Do nothing, and all is as it was."
            ),
        )),
    }
    out
}

/// It stays.
pub(crate) fn confirmed(machine: &Machine<'_>) -> String {
    format!(
        "\n  It stays, also when its guard is ended, until a person opens it.\n\n{}",
        wrap("  Next: ", &format!("stop what was found: {0} triage, then {0} contain", machine.command()))
    )
}

/// Before it is opened.
pub(crate) fn release(state: &State, only: &[u16], host: &str) -> String {
    let mut out = match only {
        [] => format!("\n  This will open the network of {host} again, as it was.\n"),
        some => format!(
            "\n  This will open port {} of {host} to everybody, and nothing else.\n",
            some.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
        ),
    };
    if !state.incidents.is_empty() {
        let (first, count) = (state.incidents.first(), state.incidents.len());
        let first = first.map(ToString::to_string).unwrap_or_default();
        out.push_str(&wrap(
            "  While it was closed: ",
            &format!(
                "{first}{}",
                if count > 1 { format!("; and {} more", count - 1) } else { String::new() }
            ),
        ));
    }
    out.push_str(&wrap("  ", "Whatever the intruder still has there is reachable again."));
    out
}

/// It is open.
pub(crate) fn released(machine: &Machine<'_>, only: &[u16], frozen: &str) -> String {
    let command = machine.command();
    let next = if only.is_empty() {
        format!("look again: {command} triage")
    } else {
        format!("watch it; open the rest with {command} release")
    };
    let frozen = if frozen.is_empty() { String::new() } else { format!("\n{frozen}") };
    format!("{frozen}\n{}", wrap("  Next: ", &next))
}

/// Where it stands.
pub(crate) fn status(machine: &Machine<'_>, preview: &Preview, json: bool) -> String {
    if json {
        let (state, alive) = match &preview.already {
            Some((state, alive)) => (Some(state), *alive),
            None => (None, false),
        };
        return format!(
            "{}\n",
            json!({
                "type": "isolation", "isolated": state.is_some() && (alive || preview.stands), "guard": alive,
                "state": state,
            })
        );
    }
    let command = machine.command();
    let Some((state, alive)) = &preview.already else {
        return format!(
            "\n  Not isolated: {} devices lead out.\n\n  Next: {command} isolate\n",
            preview.places.iter().map(|place| place.devices.len()).sum::<usize>()
        );
    };
    let devices: Vec<String> =
        state.cuts.iter().flat_map(|cut| cut.devices.iter().map(ToString::to_string)).collect();
    let mut out = String::from("\n");
    let how = match (state.phase, alive) {
        (Phase::Trial, true) => "Closed on trial",
        (Phase::Trial, false) if preview.stands => {
            "Closed on trial, but its guard is gone: it stays closed until you release it"
        }
        (Phase::Trial, false) => "The trial ended without its guard; the kernel opened it",
        (Phase::Held, true) => "Closed, and held",
        (Phase::Held, false) if preview.stands => "Closed by tables that outlive their guard, which is gone",
        (Phase::Held, false) => "Open: its guard is gone, and tables that should outlive it are gone too",
    };
    out.push_str(&wrap(
        "  ",
        &format!("{how}: {} in {} network namespaces.", devices.join(", "), state.cuts.len()),
    ));
    for kept in &state.order.kept {
        out.push_str(&wrap("  Stays: ", &kept.to_string()));
    }
    if preview.after_restart {
        out.push_str(&wrap("  ", "A unit keeps it isolated after a restart too."));
    }
    for port in &state.open {
        out.push_str(&wrap("  Open to everybody: ", &format!("port {port}")));
    }
    for gap in &state.gaps {
        out.push_str(&wrap("  Not cut: ", gap));
    }
    for one in &state.groups {
        out.push_str(&wrap("  Stays on: ", one));
    }
    for incident in state.incidents.iter().rev().take(20).rev() {
        out.push_str(&wrap("  Happened: ", &incident.to_string()));
    }
    let shown = state.incidents.len().min(20) as u64;
    let more = state.incidents.len() as u64 + state.more - shown;
    if more > 0 {
        out.push_str(&wrap("  ", &format!("And {more} incidents before.")));
    }
    let next = match (state.phase, alive) {
        (Phase::Trial, true) => format!("over a new connection: {command} isolate --confirm"),
        (_, false) => format!("{command} release, then {command} isolate again"),
        (Phase::Held, true) => {
            format!("stop what was found: {command} contain; open it again with {command} release")
        }
    };
    format!("{out}\n{}", wrap("  Next: ", &next))
}

/// The plan as JSON.
pub(crate) fn json_plan(preview: &Preview, order: &Order, suspects: &[Suspect]) -> String {
    let suspects = super::isolation_suspects::json(suspects);
    format!(
        "{}\n",
        json!({ "type": "isolation-plan", "order": order, "preview": preview, "suspects": suspects })
    )
}

/// What was proved, as JSON.
pub(crate) fn json_verdict(ways: &[Way], now: &Preview) -> String {
    let state = now.already.as_ref().map(|(state, _)| state);
    let lines = ways.iter().map(|way| {
        format!("{}\n", json!({ "type": "way", "way": way.way, "verdict": way.verdict, "tried": way.tried, "why": way.why }))
    });
    format!(
        "{}{}\n",
        lines.collect::<String>(),
        json!({ "type": "isolation", "isolated": state.is_some(), "state": state })
    )
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
