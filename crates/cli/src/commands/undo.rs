//! `calma undo`: takes back what calma did, the last step first.

use crate::args::Undo;
use crate::exit::{Exit, Refusal};
use crate::machine::Machine;
use crate::{changes, places, show};
use calma_case::Identity;
use calma_record::step::Ended;
use calma_recovery::{Engine, History, Past};
use std::io::{BufRead as _, IsTerminal as _};

/// Shows what would come back, asks, takes it back.
pub(crate) fn run(arguments: &Undo, machine: &Machine<'_>) -> anyhow::Result<Exit> {
    let case = machine.case(arguments.case.as_deref())?;
    let history = History::of(case.journal_entries()?);
    let wanted: Vec<&Past> = history
        .steps()
        .filter(|past| past.can_be_undone())
        .filter(|past| arguments.all || arguments.steps.contains(&past.intent.id))
        .collect();
    for id in &arguments.steps {
        if history.step(*id).is_none() {
            return Err(Refusal::wrong_use(
                format!("the journal has no step {id}"),
                format!("{} undo, which lists the steps", machine.command()),
            ));
        }
    }
    if arguments.steps.is_empty() && !arguments.all {
        show::print(&changes::journal(&machine.command(), &history));
        return Ok(Exit::Done);
    }
    if wanted.is_empty() {
        show::print("\n  There is nothing to take back.\n");
        return Ok(Exit::Done);
    }
    show::print(&changes::undo_plan(&wanted));
    if arguments.dry_run {
        return Ok(Exit::Done);
    }
    if !arguments.yes {
        if !std::io::stdin().is_terminal() {
            return Err(Refusal::new(
                "nobody is there to be asked",
                "give --yes to take it back, or --dry-run to see it only",
            ));
        }
        let revives = changes::brings_back(&wanted);
        show::print(match revives {
            true => "\n  Is the server cut off from the network?   yes: take it back   Enter: leave it\n  ",
            false => "\n  Enter: take it back   q: leave it\n  ",
        });
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line)?;
        if read == 0 || line.trim() != if revives { "yes" } else { "" } {
            show::print("\n  Left as it is. Nothing was changed.\n");
            return Ok(Exit::Done);
        }
    }
    let ids: Vec<u64> = wanted.iter().map(|past| past.intent.id).collect();
    let identity = match &arguments.identity {
        Some(file) => Some(Identity::find(&places::read_text(file)?).ok_or_else(|| {
            Refusal::wrong_use(
                format!("{} holds no age key", show::path(file)),
                "give the file that age-keygen made",
            )
        })?),
        None => None,
    };
    let folder = arguments.from.as_deref().map(|from| {
        let below = calma_case::Away::on(from);
        if places::is_there(&below) { below } else { from.to_owned() }
    });
    let side = machine.side()?;
    machine.survive_signals();
    let mut engine = Engine::start(&case, side.as_ref()).map_err(|error| machine.refusal(error, &case))?;
    if identity.is_some() || folder.is_some() {
        engine.fetch_with(identity.as_ref(), folder.as_deref());
    }
    let outcomes = engine.undo(&ids, &mut |event| changes::tell(event));
    show::print("");
    let phrase = engine.end()?;
    let outcomes = outcomes.map_err(|error| machine.refusal(error, &case))?;
    let failed = outcomes.iter().filter(|outcome| outcome.ended != Ended::Done).count();
    show::print(&changes::undone(outcomes.len(), failed, &phrase));
    Ok(if failed > 0 { Exit::Failed } else { Exit::Done })
}
