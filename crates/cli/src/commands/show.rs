//! `calma show`: a story, a finding, the small things or the gaps of a case.

use crate::args::Show;
use crate::exit::{Exit, Refusal};
use crate::{places, show};
use calma_case::Case;
use calma_views::{json, text};

/// Judges the case again with today's detectors and shows what was asked for.
pub(crate) fn run(arguments: &Show) -> anyhow::Result<Exit> {
    let case = Case::open(&places::newest(arguments.case.as_deref())?)?;
    let signs = crate::given::signs(&arguments.ioc)?;
    let review = calma_recovery::review_with(&case, signs.as_ref(), |_, _| {})?;
    for line in signs.iter().flat_map(crate::given::about) {
        eprintln!("  {line}");
    }
    let page =
        show::page(review.run, &review.tables, review.judgement, review.gaps, review.end, case.folder());
    let style = show::style();
    let missing = |what: &str| {
        Refusal::wrong_use(
            format!("there is no {what} in this case"),
            "calma show, which lists the stories by number",
        )
    };
    let screen = match arguments.what.as_deref() {
        Some("secrets") if arguments.json => json::secrets(&page),
        Some("secrets") => text::secrets(&page, style),
        _ if arguments.json => json::lines(&page),
        None if arguments.low => text::low(&page, style),
        None => text::triage(&page, style),
        Some("gaps") => text::gaps(&page, style),
        Some(what) => match what.parse() {
            Ok(number) => text::story(&page, number, arguments.raw, style)
                .ok_or_else(|| missing(&format!("story {number}")))?,
            Err(_) => text::finding(&page, what, arguments.raw, style)
                .ok_or_else(|| missing("finding with that key"))?,
        },
    };
    show::print(&screen);
    if let Some(key) = arguments.what.as_deref().filter(|_| !arguments.json) {
        show::print(&crate::commands::note::about(&case, key)?);
    }
    if arguments.raw && !arguments.json {
        show::raw(&case, &page, arguments.what.as_deref().unwrap_or_default())?;
    }
    Ok(Exit::Done)
}
