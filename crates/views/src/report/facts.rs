//! The parts with tables: headings now, rows when a table is opened.

use super::words::{Said, counted, grouped};
use super::{Report, Section, Table};
use maud::{Markup, html};

/// All parts that have anything to show.
pub(super) fn sections(report: &Report) -> Markup {
    html! { @for section in &report.sections { (one(section)) } }
}

fn one(section: &Section) -> Markup {
    let title = format!("{}-title", section.id);
    html! {
        section id=(section.id) aria-labelledby=(title) {
            h2 id=(title) { (Said(&section.title)) }
            @if !section.about.is_empty() { p .about { (Said(&section.about)) } }
            @if section.tables.iter().all(|table| table.rows.is_empty()) { p .faint { "Nothing of the kind was seen." } }
            @for table in &section.tables { (folded(table)) }
            noscript {
                p .faint {
                    "These tables need the page's own script. The same facts: " code { "calma triage --json --facts" } "."
                }
            }
        }
    }
}

fn folded(table: &Table) -> Markup {
    let Some(schema) = &table.schema else { return html! {} };
    html! {
        @if !table.rows.is_empty() {
            details .table id={ "table-" (Said(&schema.kind)) } data-kind=(Said(&schema.kind)) {
                summary {
                    span .title { (Said(&table.title)) } " "
                    span .count { (grouped(table.rows.len() as u64)) }
                }
                p .about { (Said(&schema.doc)) }
                @if table.left_out > 0 {
                    p .notice {
                        (counted(usize::try_from(table.left_out).unwrap_or(usize::MAX), "row is", "rows are"))
                        " left out here, for there are too many; the case holds them: "
                        code { "calma case export --redacted" } "."
                    }
                }
                div .rows {}
            }
        }
    }
}
