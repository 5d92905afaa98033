//! The stand-ins of a case: the list that is kept in it, and a page or a report with them.

use calma_case::Case;
use calma_record::{RecordId, Schema, Text};
use calma_recovery::{Tie, Told, each_row, learn};
use calma_views::redact::{Redactor, secrets};
use calma_views::report::Report;
use calma_views::{Incident, Page};
use std::collections::{BTreeMap, BTreeSet};

/// The list's name in `private/`.
const LIST: &str = "stand-ins.json";

/// What to replace in one case.
pub(crate) struct Redaction {
    /// Gives the stand-ins.
    pub(crate) redactor: Redactor,
    /// The secrets of rows that findings stand on.
    secrets: BTreeMap<RecordId, Vec<String>>,
}

impl Redaction {
    /// Reads the case once, to know whom and what it names.
    pub(crate) fn of(case: &Case, page: &Page) -> anyhow::Result<Self> {
        let mut redaction = Self::begin(case)?;
        redaction.learn(case, page)?;
        Ok(redaction)
    }

    /// One that goes on from the list in a case.
    pub(crate) fn begin(case: &Case) -> anyhow::Result<Self> {
        // A list that can not be read is one that begins anew; the old one is only a help to whoever reads an export.
        let list =
            case.private(LIST)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Ok(Self { redactor: Redactor::new(list), secrets: BTreeMap::new() })
    }

    /// Reads a case once, to know whom and what it names.
    pub(crate) fn learn(&mut self, case: &Case, page: &Page) -> anyhow::Result<()> {
        let Self { redactor, secrets: quoted } = self;
        for name in [&page.host, &page.run.host.to_string(), &case.about().target.to_string()] {
            if !name.contains('/') {
                redactor.learn_host(name);
            }
        }
        let cited: BTreeSet<&RecordId> =
            page.findings.iter().flat_map(|f| &f.evidence).map(|e| &e.record).collect();
        let mut schemas: BTreeMap<String, Schema> = BTreeMap::new();
        each_row(case, |told| match told {
            Told::Kind(schema) => {
                redactor.learn_schema(schema);
                learn(&mut schemas, schema);
            }
            Told::Row(kind, row) => {
                redactor.learn(kind, &row.columns);
                if let (true, Some(schema)) = (cited.contains(&row.record), schemas.get(kind)) {
                    quoted.entry(row.record).or_default().extend(secrets(schema, &row.columns));
                }
            }
            Told::Piece(_) | Told::Bulk(_) | Told::Ahead(_) => {}
        })?;
        Ok(())
    }

    /// Keeps the list in the case.
    pub(crate) fn keep(&self, case: &Case) -> anyhow::Result<()> {
        let list = serde_json::to_vec_pretty(&self.redactor.list())?;
        case.put_private(LIST, &list)?;
        Ok(())
    }

    /// A page with stand-ins.
    pub(crate) fn page(&mut self, page: &mut Page) {
        for finding in &mut page.findings {
            let quoted: Vec<String> = finding
                .evidence
                .iter()
                .filter_map(|evidence| self.secrets.get(&evidence.record))
                .flatten()
                .cloned()
                .collect();
            self.redactor.finding(finding, &quoted);
        }
        for story in &mut page.stories {
            // A story is called as its worst finding.
            if let Some(worst) = story.findings.first().and_then(|index| page.findings.get(*index)) {
                story.title.clone_from(&worst.title);
            }
        }
        for gap in &mut page.gaps {
            gap.what = self.redactor.prose(&gap.what);
            gap.why = self.redactor.prose(&gap.why);
            gap.example = gap.example.as_ref().map(|example| self.redactor.text(example));
        }
        for item in page.rotations.iter_mut().flat_map(|rotation| &mut rotation.items) {
            item.path = self.redactor.text(&item.path);
            item.what = self.redactor.prose(&item.what);
            item.known.iter_mut().for_each(|known| *known = self.redactor.prose(known));
        }
        page.notices = page.notices.iter().map(|notice| self.redactor.prose(notice)).collect();
        page.host = self.redactor.prose(&page.host);
        page.case = self.redactor.text(&Text::from(page.case.as_str())).to_string();
        page.command = self.redactor.prose(&page.command);
        page.report = None;
        page.run.host = self.redactor.text(&page.run.host);
        page.run.kernel = self.redactor.text(&page.run.kernel);
        page.run.root = self.redactor.text(&page.run.root);
        page.run.command.clear();
    }

    /// An index with stand-ins; `links` says what each shared thing is.
    pub(crate) fn incident(&mut self, incident: &mut Incident, links: &[Tie]) {
        incident.hosts.iter_mut().for_each(|page| self.page(page));
        for (shared, link) in incident.shared.iter_mut().zip(links) {
            shared.value = match link {
                Tie::Hash | Tie::Key => continue,
                Tie::Address => self.redactor.address(&shared.value),
                Tie::Account => self.redactor.account(&shared.value),
                Tie::Unit | Tie::Path => self.redactor.prose(&shared.value),
            };
        }
        for (case, why) in &mut incident.failed {
            *case = self.redactor.prose(case);
            *why = self.redactor.prose(why);
        }
        incident.redacted = true;
    }

    /// A report with stand-ins.
    pub(crate) fn report(&mut self, report: &mut Report) {
        self.page(&mut report.page);
        for table in report.sections.iter_mut().flat_map(|section| &mut section.tables) {
            let Some(kind) = table.schema.as_ref().map(|schema| schema.kind.clone()) else { continue };
            for row in &mut table.rows {
                self.redactor.row(&kind, &mut row.columns);
                row.from.place = self.redactor.text(&row.from.place);
            }
        }
        for piece in &mut report.pieces {
            piece.what = self.redactor.prose(&piece.what);
            piece.place = self.redactor.text(&piece.place);
        }
        report.redacted = true;
    }
}
