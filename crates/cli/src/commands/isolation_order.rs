//! The order of an isolation: who is kept, how long the trial is, who witnesses; or why there can be none.

use super::isolation_words as words;
use crate::args::Isolate;
use crate::exit::Refusal;
use crate::machine::Machine;
use calma_isolate::Kept;
use calma_isolate::beat::{Beat, Key};
use calma_isolate::order::{Level, Order};
use calma_isolate::preview::{Arrival, Preview};

/// The peers that are named.
pub(super) fn kept(words: &[String]) -> anyhow::Result<Vec<Kept>> {
    let one = |word: &String| {
        word.parse::<Kept>()
            .map_err(|error| Refusal::wrong_use(error.to_string(), "calma isolate --allow ADDR[:LOCALPORT]"))
    };
    words.iter().map(one).collect()
}

/// The order that follows from what was asked and from how the administrator came.
pub(super) fn order(
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
