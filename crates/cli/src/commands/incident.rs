//! `calma report CASE1 CASE2 …`: several hosts of one incident.

use crate::args::Report;
use crate::exit::{Exit, Refusal};
use crate::redaction::Redaction;
use crate::{paper, show};
use calma_case::Case;
use calma_recovery::{Tie, shared};
use calma_views::{Incident, Page, Shared, text};

/// Reads the cases, says what they share, and writes the page if a file was named.
pub(crate) fn run(arguments: &Report) -> anyhow::Result<Exit> {
    let (mut cases, mut pages, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for folder in &arguments.cases {
        // One case that can not be read does not keep the others from being compared.
        let read: anyhow::Result<(Case, Page)> = Case::open(folder)
            .map_err(Into::into)
            .and_then(|case| show::reviewed(&case).map(|page| (case, page)));
        match read {
            Ok((case, page)) => {
                cases.push(case);
                pages.push(page);
            }
            Err(error) => failed.push((show::path(folder), error.to_string())),
        }
    }
    if cases.is_empty() {
        return Err(Refusal::wrong_use(
            "none of these folders is a case that can be read",
            "name folders of cases",
        ));
    }
    let hosts: Vec<_> =
        cases.iter().zip(&pages).map(|(case, page)| (case, page.findings.as_slice())).collect();
    let shared = shared(&hosts)?;
    let links: Vec<Tie> = shared.iter().map(|shared| shared.link).collect();
    let shared = shared
        .into_iter()
        .map(|one| Shared {
            what: one.link.word().to_owned(),
            value: one.value,
            severity: one.severity,
            on: one.on,
        })
        .collect();
    let mut incident = Incident { hosts: pages, failed, shared, redacted: false };
    let exit = if incident.hosts.iter().any(Page::needs_you) { Exit::Findings } else { Exit::Done };
    show::print(&text::incident(&incident, show::style()));
    if let Some(file) = &arguments.out {
        if let Some(first) = cases.first().filter(|_| !arguments.no_redact) {
            let mut redaction = Redaction::begin(first)?;
            for (case, page) in cases.iter().zip(&incident.hosts) {
                redaction.learn(case, page)?;
            }
            redaction.incident(&mut incident, &links);
            redaction.keep(first)?;
        }
        paper::hand_on(file, |to| calma_views::report::write_incident(&incident, to))?;
        paper::handed_on(file, arguments.no_redact);
    }
    Ok(exit)
}
