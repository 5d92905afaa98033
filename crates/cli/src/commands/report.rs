//! `calma report`: the case as one page for a browser.

use crate::args::Report;
use crate::exit::Exit;
use crate::redaction::Redaction;
use crate::{paper, places, show};
use calma_case::Case;
use calma_views::text::wrap;
use std::path::PathBuf;

/// Judges the cases again with today's detectors and writes their report, or the index of several.
pub(crate) fn run(arguments: &Report) -> anyhow::Result<Exit> {
    if arguments.cases.len() > 1 {
        return super::incident::run(arguments);
    }
    let case = Case::open(&places::newest(arguments.cases.first().map(PathBuf::as_path))?)?;
    // The program ends after this: nothing of so much is freed piece by piece.
    let mut report = std::mem::ManuallyDrop::new(paper::reviewed(&case)?);
    let Some(file) = &arguments.out else {
        let place = paper::keep(&case, &report)?;
        show::print(&format!(
            "\n{}",
            wrap("  ", &format!("Next: open {} in a browser.", show::path(&place)))
        ));
        return Ok(Exit::Done);
    };
    if !arguments.no_redact {
        let mut redaction = Redaction::of(&case, &report.page)?;
        redaction.report(&mut report);
        redaction.keep(&case)?;
    }
    paper::hand_on(file, |to| calma_views::report::write(&report, to))?;
    paper::handed_on(file, arguments.no_redact);
    Ok(Exit::Done)
}
