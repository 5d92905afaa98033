//! `calma note`: words for the journal, for what there is no time for now.

use crate::args::Note;
use crate::exit::{Exit, Refusal};
use crate::machine::Machine;
use crate::show;

/// Writes the words down.
pub(crate) fn run(arguments: &Note, machine: &Machine<'_>) -> anyhow::Result<Exit> {
    let words = arguments.words.join(" ");
    if words.trim().is_empty() {
        return Err(Refusal::wrong_use("there are no words to note", "calma note \"what to look at later\""));
    }
    let case = machine.case(arguments.case.as_deref())?;
    let phrase = calma_recovery::note(&case, &words, &arguments.finding)?;
    show::print(&format!(
        "\n  Noted in {}.\n  The journal is sealed: {phrase}\n  Read it again:   {} undo\n",
        show::path(case.folder()),
        machine.command()
    ));
    Ok(Exit::Done)
}
