//! `calma note`: words for the journal, also about findings: what there is no time for now.

use crate::args::Note;
use crate::exit::{Exit, Refusal};
use crate::machine::Machine;
use crate::show;
use calma_case::Case;
use calma_record::Text;
use calma_views::text::wrap;

/// Writes the words down, or shows those that are there.
pub(crate) fn run(arguments: &Note, machine: &Machine<'_>) -> anyhow::Result<Exit> {
    let command = machine.command();
    let case = machine.case(arguments.case.as_deref())?;
    let words = arguments.words.join(" ");
    if words.trim().is_empty() {
        if !arguments.words.is_empty() {
            let instead = format!("{command} note \"what to look at later\"");
            return Err(Refusal::wrong_use("there are no words to note", instead));
        }
        show::print(&listing(&calma_recovery::notes(&case)?, &command));
        return Ok(Exit::Done);
    }
    if !arguments.finding.is_empty() {
        let findings = calma_recovery::review(&case)?.judgement.findings;
        if let Some(key) = arguments.finding.iter().find(|key| !findings.iter().any(|one| one.key == **key)) {
            return Err(Refusal::wrong_use(
                format!("this case has no finding with the key {}", Text::from(key.as_str())),
                "calma show STORY, which lists them",
            ));
        }
    }
    let (id, phrase) = calma_recovery::note(&case, words.trim(), &arguments.finding)?;
    show::print(&format!(
        "\n  Noted as step {id} in {}.\n  The journal is sealed: {phrase}\n  Read the notes:   {command} note\n",
        show::path(case.folder()),
    ));
    Ok(Exit::Done)
}

/// The notes, one below the other.
fn listing(notes: &[calma_recovery::Note], command: &str) -> String {
    if notes.is_empty() {
        return format!("\n  There are no notes in this case.   Write one: {command} note \"…\"\n");
    }
    let mut out = String::from("\n  Your notes:\n\n");
    for note in notes {
        let keys: Vec<String> =
            note.findings.iter().map(|key| Text::from(key.as_str()).to_string()).collect();
        let about = match keys.as_slice() {
            [] => String::new(),
            [key] => format!(" (about finding {key})"),
            keys => format!(" (about findings {})", keys.join(", ")),
        };
        out.push_str(&wrap("  - ", &format!("{}{about}", Text::from(note.words.as_str()))));
    }
    out
}

/// What was noted about one finding, for `calma show`.
pub(crate) fn about(case: &Case, key: &str) -> anyhow::Result<String> {
    let notes: Vec<_> = calma_recovery::notes(case)?
        .into_iter()
        .filter(|note| note.findings.iter().any(|finding| finding == key))
        .map(|note| calma_recovery::Note { words: note.words, findings: Vec::new() })
        .collect();
    Ok(if notes.is_empty() { String::new() } else { listing(&notes, "calma") })
}
