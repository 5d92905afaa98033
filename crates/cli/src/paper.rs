//! From a page and its case to the report.

use crate::show;
use anyhow::Context as _;
use calma_case::Case;
use calma_record::RecordId;
use calma_recovery::{Dossier, SECTIONS, Seen, dossier, glossary};
use calma_views::Page;
use calma_views::report::{Report, Row, Section, Table};
use calma_views::text::wrap;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The report's name in a case.
const NAME: &str = "report.html";

/// Everything a report shows of a case's newest look, judged again with today's detectors. The case is read once, and what it was
/// read into stays until the program ends: to free so much piece by piece takes a tenth of the time.
pub(crate) fn reviewed(case: &Case) -> anyhow::Result<Report> {
    let mut dossier = Dossier::default();
    let (page, tables) = show::reviewed_with(case, |stream, record| dossier.take(stream, record))?;
    std::mem::forget(tables);
    let wanted = wanted(&page);
    Ok(report_of(dossier.with(case, &wanted)?, page))
}

/// The same with the judgement at hand.
pub(crate) fn report(case: &Case, page: Page) -> anyhow::Result<Report> {
    Ok(report_of(dossier(case, &wanted(&page))?, page))
}

/// The records that findings stand on.
fn wanted(page: &Page) -> BTreeSet<RecordId> {
    page.findings.iter().flat_map(|f| &f.evidence).map(|e| e.record.clone()).collect()
}

fn report_of(mut dossier: Dossier, page: Page) -> Report {
    let mut sections: Vec<Section> = SECTIONS
        .iter()
        .map(|section| Section {
            id: section.id.to_owned(),
            title: section.title.to_owned(),
            about: section.about.to_owned(),
            tables: section
                .tables
                .iter()
                .map(|shown| table(&mut dossier, shown.kind, Some(shown.title), shown.columns))
                .collect(),
        })
        .filter(|section: &Section| section.tables.iter().any(|table| !table.rows.is_empty()))
        .collect();
    let rest: Vec<String> = dossier.rows.keys().cloned().collect();
    if !rest.is_empty() {
        sections.push(Section {
            id: "other".to_owned(),
            title: "Everything else".to_owned(),
            about: "What was seen besides.".to_owned(),
            tables: rest.iter().map(|kind| table(&mut dossier, kind, None, &[])).collect(),
        });
    }
    Report {
        page,
        ahead_ms: dossier.ahead_ms,
        sections,
        pieces: dossier.pieces,
        glossary: glossary().into_iter().map(|term| (term.group.to_owned(), term.name, term.means)).collect(),
        redacted: false,
    }
}

/// One kind's table, taken out of the dossier.
fn table(dossier: &mut Dossier, kind: &str, title: Option<&str>, columns: &[&str]) -> Table {
    let row = |seen: Seen| Row { record: seen.record, from: seen.from, columns: seen.columns };
    Table {
        title: title.map_or_else(|| words(kind), str::to_owned),
        schema: dossier.schemas.get(kind).cloned(),
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        rows: dossier.rows.remove(kind).unwrap_or_default().into_iter().map(row).collect(),
        left_out: dossier.left_out.remove(kind).unwrap_or_default(),
    }
}

/// `kernel-setting`: "Kernel setting".
fn words(kind: &str) -> String {
    let mut letters = kind.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).map(|c| if c == '-' { ' ' } else { c }).collect()
}

/// Writes the report into its case, over an older one. Returns where it stands.
pub(crate) fn keep(case: &Case, report: &Report) -> anyhow::Result<PathBuf> {
    Ok(case.derive(NAME, |file| calma_views::report::write(report, file))?)
}

/// Writes the report of a look that was just made. Without it the look is as good: what went wrong becomes a notice.
pub(crate) fn after(case: &Case, mut page: Page) -> Page {
    match report(case, page.clone()).and_then(|report| keep(case, &report)) {
        Ok(place) => page.report = Some(show::path(&place)),
        Err(error) => page.notices.push(format!("The report could not be written: {error}.")),
    }
    page
}

/// Writes a new file that the user named; never over one that is there.
#[expect(clippy::disallowed_methods, reason = "the user named this file on his own machine")]
pub(crate) fn hand_on(
    file: &Path,
    write: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut to = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("{} can not be made", show::path(file)))?;
    write(&mut to)
        .and_then(|()| to.sync_all())
        .with_context(|| format!("{} can not be written", show::path(file)))
}

/// Says what stands in a file that was written to be handed on, and the next step.
pub(crate) fn handed_on(file: &Path, no_redact: bool) {
    let kept = if no_redact {
        "Nothing was replaced: it holds what the case holds, secrets too."
    } else {
        "Secrets, names and addresses were replaced; who is who stays in the case (private/stand-ins.json)."
    };
    let next = format!("Next: look through {} before you hand it on.", show::path(file));
    eprint!("\n{}{}", wrap("  ", kept), wrap("  ", &next));
}
