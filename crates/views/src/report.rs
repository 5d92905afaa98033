//! The report: one HTML file that needs nothing else, neither a network nor a server.
//!
//! Stories, findings and gaps are plain HTML and read without any script. Tables of facts stand as data that is not
//! executed (`<script type="application/json">`) and are drawn by the page's one script when they are opened, so that a
//! hundred thousand facts stay usable. The page's policy (Content Security Policy Level 3) allows that script and that
//! style sheet by their digests and nothing else at all. Whatever came from the host passes [`calma_record::printed`] and
//! HTML escaping.

mod about;
mod data;
mod facts;
mod findings;
mod incident;
mod rotate;
mod shell;
mod words;

pub use incident::write_incident;

use crate::Page;
use calma_record::{Blob, RecordId, Schema, Source};
use maud::html;
use serde_json::{Map, Value};
use std::io::{self, Write};

/// What a report is made of.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The look and what it means.
    pub page: Page,
    /// Milliseconds that the host's clock was ahead of the keeper's, if it was compared.
    pub ahead_ms: Option<i64>,
    /// The parts with tables, in their order.
    pub sections: Vec<Section>,
    /// Pieces of evidence in the case.
    pub pieces: Vec<Blob>,
    /// Words explained: group, word, meaning.
    pub glossary: Vec<(String, String, String)>,
    /// Whether names, addresses and secrets were replaced.
    pub redacted: bool,
}

/// A part of the report that consists of tables.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Name in links.
    pub id: String,
    /// Heading.
    pub title: String,
    /// A sentence or two below it.
    pub about: String,
    /// Its tables.
    pub tables: Vec<Table>,
}

/// The facts of one kind.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Heading.
    pub title: String,
    /// The kind and its columns.
    pub schema: Option<Schema>,
    /// Names of the columns one sees at once; empty to choose them by role.
    pub columns: Vec<String>,
    /// The facts.
    pub rows: Vec<Row>,
    /// How many facts were left out because there are too many.
    pub left_out: u64,
}

/// One fact.
#[derive(Clone, Debug)]
pub struct Row {
    /// The record.
    pub record: RecordId,
    /// Where it was seen.
    pub from: Source,
    /// Its columns by name; what is missing is at its default.
    pub columns: Map<String, Value>,
}

/// Writes the report.
///
/// # Errors
/// When `to` can not be written.
pub fn write(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let cited = findings::Cited::of(report);
    to.write_all(shell::head(&report.page.host).into_string().as_bytes())?;
    let body = html! {
        (shell::skip_links(report))
        (about::masthead(report))
        (shell::contents(report))
        main {
            (findings::stories(report, &cited))
            (findings::small(report, &cited))
            (rotate::rotate(report))
            (about::gaps(&report.page))
            (facts::sections(report))
            (about::pieces(report))
            (about::glossary(report))
        }
        (about::footer(report))
    };
    to.write_all(body.into_string().as_bytes())?;
    for table in report.sections.iter().flat_map(|section| &section.tables) {
        data::write(table, to)?;
    }
    to.write_all(shell::foot().into_string().as_bytes())?;
    to.flush()
}
