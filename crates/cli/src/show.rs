//! From a look or a review to the page that views show.

use calma_case::Case;
use calma_detect::{Judgement, Tables};
use calma_record::{End, Gap, Record, Run, StreamName};
use calma_views::{Page, text::Style};
use std::io::IsTerminal as _;
use std::path::Path;

/// Builds the page of one look.
pub(crate) fn page(
    run: Run,
    tables: &Tables,
    judgement: Judgement,
    gaps: Vec<Gap>,
    end: Option<End>,
    case: &Path,
) -> Page {
    Page {
        counts: counts(tables),
        notices: crate::notices::of(&run, &gaps),
        host: run.host.to_string(),
        kernel_in_doubt: judgement.kernel_in_doubt,
        findings: judgement.findings,
        stories: judgement.stories,
        rotations: calma_detect::rotations(tables),
        gaps: aggregated(gaps),
        seconds: end.as_ref().map_or(0.0, |end| end.took_ms as f64 / 1000.0),
        case: path(case),
        command: "calma".to_owned(),
        phrase: None,
        report: None,
        run,
        end,
    }
}

/// The page of a case, judged again with today's detectors, with its seal's words.
pub(crate) fn reviewed(case: &Case) -> anyhow::Result<Page> {
    Ok(reviewed_with(case, |_, _| {})?.0)
}

/// The same with the tables that were judged; `besides` sees each record on its way.
pub(crate) fn reviewed_with(
    case: &Case,
    besides: impl FnMut(&StreamName, &Record),
) -> anyhow::Result<(Page, Tables)> {
    let review = calma_recovery::review_with(case, None, besides)?;
    let mut page = page(review.run, &review.tables, review.judgement, review.gaps, review.end, case.folder());
    if page.host.is_empty() {
        page.host = case.about().target.to_string();
    }
    page.phrase = case.phrase()?;
    Ok((page, review.tables))
}

/// How many of what were looked at.
fn counts(tables: &Tables) -> Vec<(u64, String)> {
    let kinds: [(&[&str], &str); 4] = [
        (&["process"], "processes"),
        (&["socket"], "sockets"),
        (&["unit", "scheduled-job", "startup-command"], "things that start by themselves"),
        (&["account"], "accounts"),
    ];
    kinds
        .iter()
        .map(|(names, words)| {
            (names.iter().map(|name| tables.count_named(name) as u64).sum(), (*words).to_owned())
        })
        .filter(|(count, _)| *count > 0)
        .collect()
}

/// Gaps of one cause from several collectors as one.
fn aggregated(gaps: Vec<Gap>) -> Vec<Gap> {
    let mut out: Vec<Gap> = Vec::new();
    for gap in gaps {
        match out.iter_mut().find(|known| known.same_cause(&gap)) {
            Some(known) => {
                known.count += gap.count;
                known.important |= gap.important;
            }
            None => out.push(gap),
        }
    }
    out
}

/// Colour only on a terminal that did not ask to be left without (no-color.org).
pub(crate) fn style() -> Style {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    if std::io::stdout().is_terminal() && !plain { Style::Colour } else { Style::Plain }
}

/// Prints to standard output; a reader that has gone away is no failure.
pub(crate) fn print(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if let Ok(mut waiting) = WAITING.lock() {
        drop(out.write_all(waiting.as_bytes()));
        waiting.clear();
    }
    drop(out.write_all(text.as_bytes()));
    drop(out.flush());
}

/// What is to be printed and was not yet.
static WAITING: std::sync::Mutex<String> = std::sync::Mutex::new(String::new());

/// Prints a line of which a thousand may come at once: they go out together, with what is printed next at the latest.
pub(crate) fn print_soon(text: &str) {
    let many = WAITING.lock().is_ok_and(|mut waiting| {
        waiting.push_str(text);
        waiting.len() > 8 << 10
    });
    if many {
        print("");
    }
}

/// A path of this machine as one may print it.
pub(crate) fn path(path: &Path) -> String {
    calma_record::Text::from(path.as_os_str().as_encoded_bytes()).to_string()
}

/// Prints every fact of the case's newest look as a JSON line.
pub(crate) fn facts(case: &Case) -> anyhow::Result<()> {
    calma_recovery::each_record(case, |stream, record| {
        if let Some(line) = calma_views::json::fact(stream, &record) {
            print(&format!("{line}\n"));
        }
    })?;
    Ok(())
}

/// Prints the records that a story or a finding stands on.
pub(crate) fn raw(case: &Case, page: &Page, what: &str) -> anyhow::Result<()> {
    let story: Option<u32> = what.parse().ok();
    let wanted: std::collections::BTreeSet<String> = page
        .findings
        .iter()
        .filter(|finding| story.map_or(finding.key == what, |number| finding.story == number))
        .flat_map(|finding| finding.evidence.iter().map(|evidence| evidence.record.to_string()))
        .collect();
    calma_recovery::each_record(case, |stream, record| {
        if wanted.contains(&format!("{}#{}", stream.0, record.seq))
            && let Some(line) = calma_views::json::fact(stream, &record)
        {
            print(&format!("{line}\n"));
        }
    })?;
    Ok(())
}
