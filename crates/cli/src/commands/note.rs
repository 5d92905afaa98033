//! `calma note`: words in the case, also about a finding.

use crate::args::Note;
use crate::exit::{Exit, Refusal};
use crate::{places, show};
use calma_case::Case;
use calma_views::text::wrap;

/// Writes them, or shows those that are there.
pub(crate) fn run(arguments: &Note) -> anyhow::Result<Exit> {
    let case = Case::open(&places::newest(arguments.case.as_deref())?)?;
    let Some(words) = arguments.words.as_deref().map(str::trim).filter(|words| !words.is_empty()) else {
        show::print(&listing(&calma_recovery::notes(&case)?));
        return Ok(Exit::Done);
    };
    if let Some(key) = &arguments.finding {
        let review = calma_recovery::review(&case)?;
        if !review.judgement.findings.iter().any(|finding| finding.key == *key) {
            return Err(Refusal::wrong_use(
                format!("this case has no finding with the key {key}"),
                "calma show STORY, which lists them",
            ));
        }
    }
    let id = calma_recovery::note(&case, words, arguments.finding.as_deref())?;
    show::print(&format!("\n  Noted as step {id} of the journal.   Read them: calma note\n"));
    Ok(Exit::Done)
}

/// The notes, one below the other.
fn listing(notes: &[(String, Option<String>)]) -> String {
    if notes.is_empty() {
        return "\n  There are no notes in this case.   Write one: calma note \"…\"\n".to_owned();
    }
    let mut out = String::from("\n  Your notes:\n\n");
    for (words, finding) in notes {
        let about = finding.as_ref().map(|key| format!(" (about finding {key})")).unwrap_or_default();
        let words = calma_record::Text::from(words.as_str());
        out.push_str(&wrap("  - ", &format!("{words}{about}")));
    }
    out
}

/// What was noted about one finding, for `calma show`.
pub(crate) fn about(case: &Case, key: &str) -> anyhow::Result<String> {
    let notes: Vec<_> = calma_recovery::notes(case)?
        .into_iter()
        .filter(|(_, finding)| finding.as_deref() == Some(key))
        .map(|(words, _)| (words, None))
        .collect();
    Ok(if notes.is_empty() { String::new() } else { listing(&notes) })
}
