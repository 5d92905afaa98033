//! `calma case`: what a case holds, whether it is whole, and giving it away.

use crate::args::{CaseArguments, CaseCommand, Export};
use crate::exit::{Exit, Refusal};
use crate::{places, show};
use anyhow::Context as _;
use calma_case::{Case, ExportForm, ExportOptions, StreamState};
use calma_views::text::{self, wrap};
use std::io::Write as _;

/// Runs one of them.
pub(crate) fn run(arguments: &CaseArguments) -> anyhow::Result<Exit> {
    match &arguments.command {
        CaseCommand::Show(folder) => contents(&Case::open(&places::newest(folder.case.as_deref())?)?),
        CaseCommand::Verify(folder) => verify(&Case::open(&places::newest(folder.case.as_deref())?)?),
        CaseCommand::Export(to) => export(to),
    }
}

fn contents(case: &Case) -> anyhow::Result<Exit> {
    let about = case.about();
    let mut screen = format!("\n  Case of {}\n", about.target);
    screen.push_str(&wrap("  Folder:  ", &show::path(case.folder())));
    screen.push_str(&wrap("  Begun:   ", &format!("{} with calma {}", about.created, about.version)));
    let verification = case.verify()?;
    for (name, state) in &verification.streams {
        screen.push_str(&wrap("  Stream:  ", &format!("{} ({state})", name.0)));
    }
    screen.push_str(&wrap("  Kept:    ", &format!("{} pieces of evidence", verification.evidence.whole)));
    screen.push_str(&wrap(
        "\n  ",
        &format!("Next: read it:   calma show --case {}", show::path(case.folder())),
    ));
    show::print(&screen);
    Ok(Exit::Done)
}

fn verify(case: &Case) -> anyhow::Result<Exit> {
    let verification = case.verify()?;
    let streams: Vec<(String, String)> =
        verification.streams.iter().map(|(name, state)| (name.0.clone(), state.to_string())).collect();
    let mut wrong: Vec<String> = verification.problems.clone();
    wrong
        .extend(verification.evidence.broken.iter().map(|(digest, why)| format!("evidence {digest}: {why}")));
    let strays = verification.strays.iter().map(|stray| format!("not calma's: {stray}")).collect();
    let broken_stream =
        verification.streams.iter().any(|(_, state)| matches!(state, StreamState::Broken { .. }));
    let broken = broken_stream || !wrong.is_empty();
    show::print(&text::verification(
        &text::Verified {
            case: show::path(case.folder()),
            streams,
            evidence: verification.evidence.whole,
            wrong,
            strays,
            phrase: verification.phrase.clone(),
            broken,
        },
        show::style(),
    ));
    Ok(if broken { Exit::Failed } else { Exit::Done })
}

#[expect(clippy::disallowed_methods, reason = "the user named this file on his own machine")]
fn export(arguments: &Export) -> anyhow::Result<Exit> {
    use std::io::IsTerminal as _;
    let case = Case::open(&places::newest(arguments.folder.case.as_deref())?)?;
    let written = super::exchange::run_if_asked(&case, arguments)?;
    if let Some(first) = written.first().filter(|_| arguments.to.is_none()) {
        crate::paper::handed_on(first, arguments.no_redact);
        return Ok(Exit::Done);
    }
    let form = if arguments.redacted { ExportForm::JsonLines } else { ExportForm::Tar };
    let what = ExportOptions { form, secrets: false };
    match &arguments.to {
        Some(file) => {
            let mut to = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(file)
                .with_context(|| format!("{} can not be made", show::path(file)))?;
            case.export(&mut to, what)?;
            to.sync_all()?;
            eprint!(
                "{}",
                wrap(
                    "\n  ",
                    &format!(
                        "Next: keep {} away from the server, and compare: calma case verify",
                        show::path(file)
                    )
                )
            );
        }
        None if std::io::stdout().is_terminal() && !arguments.redacted => {
            return Err(Refusal::wrong_use(
                "a terminal is no place for an archive",
                "calma case export --to FILE.tar",
            ));
        }
        None => {
            let mut out = std::io::stdout().lock();
            case.export(&mut out, what)?;
            out.flush()?;
        }
    }
    Ok(Exit::Done)
}
