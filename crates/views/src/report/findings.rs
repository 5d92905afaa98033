//! Stories and findings, worst first, as plain HTML.

use super::words::{Said, bytes, class, counted, sentence, weight};
use super::{Report, Row};
use calma_record::{Blob, Evidence, Finding, RecordId, Role, Schema, Severity, Story, Subject};
use maud::{Markup, html};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Subjects that a finding shows before the rest is folded.
const SUBJECTS: usize = 12;

/// The rows that findings stand on: their kind, and the digests they hold.
pub(super) struct Cited<'a>(BTreeMap<&'a RecordId, (&'a str, Vec<&'a str>)>);

impl<'a> Cited<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let wanted: BTreeSet<&RecordId> =
            report.page.findings.iter().flat_map(|f| &f.evidence).map(|e| &e.record).collect();
        let mut cited = BTreeMap::new();
        for table in report.sections.iter().flat_map(|section| &section.tables) {
            let Some(schema) = &table.schema else { continue };
            for row in table.rows.iter().filter(|row| wanted.contains(&row.record)) {
                cited.insert(&row.record, (schema.kind.as_str(), digests(schema, row)));
            }
        }
        Self(cited)
    }
}

fn digests<'a>(schema: &Schema, row: &'a Row) -> Vec<&'a str> {
    let columns = schema.columns.iter().filter(|column| column.role == Role::Digest);
    columns.filter_map(|column| row.columns.get(&column.name).and_then(Value::as_str)).collect()
}

/// All stories.
pub(super) fn stories(report: &Report, cited: &Cited<'_>) -> Markup {
    let page = &report.page;
    html! {
        section #stories aria-labelledby="stories-title" {
            h2 #stories-title { "Stories" }
            @if page.stories.is_empty() {
                p .about { "Nothing that was seen needs you now." }
            } @else {
                p .about { "What belongs together, the worst first." }
            }
            @for story in &page.stories { (one(report, story, cited)) }
        }
    }
}

fn one(report: &Report, story: &Story, cited: &Cited<'_>) -> Markup {
    let mut members = story.findings.iter().filter_map(|index| report.page.findings.get(*index));
    let worst = members.next();
    let rest: Vec<&Finding> = members.collect();
    html! {
        article class={ "story stop " (class(story.severity)) } id={ "story-" (story.number) } tabindex="-1" {
            p .which { "Story " (story.number) }
            h3 { (Said(&story.title)) }
            p .weight { (weight(story.severity, story.certainty)) }
            @if let Some(worst) = worst { (body(report, worst, cited)) }
            @if !rest.is_empty() {
                p .more { "Also in this story: " (counted(rest.len(), "finding", "findings")) }
                @for finding in rest { (folded(report, finding, cited, false)) }
            }
        }
    }
}

/// The findings that are in no story.
pub(super) fn small(report: &Report, cited: &Cited<'_>) -> Markup {
    let small: Vec<&Finding> = report.page.findings.iter().filter(|finding| finding.story == 0).collect();
    html! {
        @if !small.is_empty() {
            section #small aria-labelledby="small-title" {
                h2 #small-title { "Smaller things" }
                p .about { "Probably yours. Read them when there is time; none is urgent by itself." }
                @for finding in small { (folded(report, finding, cited, true)) }
            }
        }
    }
}

fn folded(report: &Report, finding: &Finding, cited: &Cited<'_>, stop: bool) -> Markup {
    html! {
        details class={ "finding " (class(finding.severity)) } .stop[stop] id={ "finding-" (Said(&finding.key)) } tabindex=[stop.then_some("-1")] {
            summary { span .title { (Said(&finding.title)) } " " (weight(finding.severity, finding.certainty)) }
            (body(report, finding, cited))
        }
    }
}

/// What, where, why, the innocent explanation, the evidence, the next step.
fn body(report: &Report, finding: &Finding, cited: &Cited<'_>) -> Markup {
    let kept: Vec<&Blob> = report.pieces.iter().filter(|piece| belongs(piece, finding)).collect();
    html! {
        @if !finding.facts.is_empty() {
            ul .facts { @for fact in &finding.facts { li { (Said(fact)) } } }
        }
        dl .points {
            @if !finding.subjects.is_empty() { div { dt { "Where" } dd { (subjects(&finding.subjects)) } } }
            @if !finding.why.is_empty() { div { dt { "Why it matters" } dd { (Said(&sentence(&finding.why))) } } }
            div {
                dt { "Innocent if" }
                dd { @if finding.innocent.is_empty() { "Nothing ordinary does this." } @else { (Said(&sentence(&finding.innocent))) } }
            }
            @if !finding.next.is_empty() { div .step { dt { "Next" } dd { (Said(&sentence(&finding.next))) } } }
            @if !kept.is_empty() {
                div {
                    dt { "Kept" }
                    dd { @for piece in kept {
                        p { (Said(&piece.what)) ", " (bytes(piece.size)) br; span .digest { (piece.digest.to_string()) } }
                    } }
                }
            }
        }
        @if !finding.evidence.is_empty() {
            details .seen {
                summary { "What it stands on: " (counted(finding.evidence.len(), "record", "records")) }
                ul { @for evidence in &finding.evidence { li { (seen(evidence, cited)) } } }
            }
        }
        p .fine {
            span { (Said(&finding.key)) }
            @for technique in &finding.attack { span { "ATT&CK " (technique) } }
        }
    }
}

fn seen(evidence: &Evidence, cited: &Cited<'_>) -> Markup {
    let record = evidence.record.to_string();
    let known = cited.0.get(&evidence.record);
    html! {
        (Said(&evidence.shows)) " in " span .path { (Said(&evidence.source.place.to_string())) }
        " " span .faint { "(" (evidence.source.forger.to_string()) ")" } " "
        @match known {
            Some((kind, _)) => { a .record href={ "#table-" (Said(kind)) } data-kind=(Said(kind)) data-record=(Said(&record)) { (Said(&record)) } }
            None => { span .record { (Said(&record)) } }
        }
        @if let Some((_, digests)) = known {
            @for digest in digests { br; span .digest { "sha256 " (Said(digest)) } }
        }
    }
}

fn subjects(subjects: &[Subject]) -> Markup {
    let (shown, rest) = subjects.split_at(subjects.len().min(SUBJECTS));
    html! {
        ul .subjects { @for subject in shown { li { (one_subject(subject)) } } }
        @if !rest.is_empty() {
            details {
                summary { "and " (counted(rest.len(), "more", "more")) }
                ul .subjects { @for subject in rest { li { (one_subject(subject)) } } }
            }
        }
    }
}

fn one_subject(subject: &Subject) -> Markup {
    let (what, text) = match subject {
        Subject::Path(path) => ("", path.to_string()),
        Subject::Pid(pid) => ("process ", pid.to_string()),
        Subject::Address(address) => ("", address.clone()),
        Subject::Account(name) => ("account ", name.to_string()),
        Subject::Unit(name) => ("unit ", name.to_string()),
    };
    html! { (what) span .path { (Said(&text)) } }
}

/// Whether a piece of evidence is of something that the finding is about.
fn belongs(piece: &Blob, finding: &Finding) -> bool {
    finding.severity >= Severity::Low
        && finding.subjects.iter().any(|subject| match subject {
            Subject::Pid(pid) => piece.pid == Some(*pid),
            Subject::Path(path) => piece.place == *path,
            _ => false,
        })
}
