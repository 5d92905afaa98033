//! `calma report`: the case as one page for a browser.

use crate::args::Report;
use crate::exit::Exit;
use crate::{paper, places, show};
use anyhow::Context as _;
use calma_case::Case;
use calma_views::text::wrap;

/// Judges the case again with today's detectors and writes its report.
#[expect(clippy::disallowed_methods, reason = "the user named this file on his own machine")]
pub(crate) fn run(arguments: &Report) -> anyhow::Result<Exit> {
    let case = Case::open(&places::newest(arguments.case.as_deref())?)?;
    let page = show::reviewed(&case)?;
    let report = paper::report(&case, page)?;
    let place = match &arguments.out {
        None => paper::keep(&case, &report)?,
        Some(file) => {
            let mut to = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(file)
                .with_context(|| format!("{} can not be made", show::path(file)))?;
            calma_views::report::write(&report, &mut to)?;
            to.sync_all()?;
            file.clone()
        }
    };
    show::print(&wrap("\n  ", &format!("Next: open {} in a browser.", show::path(&place))));
    Ok(Exit::Done)
}
