//! The index over several hosts of one incident, as a page of its own.

use super::shell;
use super::words::{Said, class, counted, sentence, time, weight};
use crate::incident::{Incident, Shared, state, worst};
use maud::{Markup, html};
use std::io::{self, Write};

/// Writes the index. All of it is plain HTML.
///
/// # Errors
/// When `to` can not be written.
pub fn write_incident(incident: &Incident, to: &mut dyn Write) -> io::Result<()> {
    let title = counted(incident.hosts.len(), "host", "hosts");
    to.write_all(shell::head(&title).into_string().as_bytes())?;
    let body = html! {
        a .skip href="#hosts" { "Skip to the hosts" }
        a .skip href="#shared" { "Skip to what they share" }
        header {
            p .eyebrow { "calma · one incident" }
            h1 { (title) }
            p .lead { (summary(incident)) }
            @if incident.redacted {
                p .notice { "Secrets, accounts, addresses, host names and names below homes were replaced by stable stand-ins. The list stays in the first case." }
            } @else {
                p .faint { "Not redacted: keep it as you keep the cases." }
            }
            @if let Some(first) = incident.sorted().first().filter(|page| page.needs_you()) {
                p .next { strong { "Next " } "begin with " (Said(&first.host)) ": " code { "calma show 1 --case " (Said(&first.case)) } }
            }
        }
        nav aria-label="Contents" {
            ul {
                li { a href="#hosts" { "Hosts" } }
                li { a href="#shared" { "What they share" } }
            }
            p .theme { button #theme type="button" { "Light or dark" } }
            p .keys { kbd { "j" } " " kbd { "k" } " next, previous" br; kbd { "t" } " theme" }
        }
        main {
            (hosts(incident))
            (together(incident))
        }
    };
    to.write_all(body.into_string().as_bytes())?;
    to.write_all(shell::foot().into_string().as_bytes())?;
    to.flush()
}

fn summary(incident: &Incident) -> Markup {
    let bad = incident.hosts.iter().filter(|page| page.needs_you()).count();
    html! {
        (counted(bad, "host needs", "hosts need")) " you; "
        @if incident.shared.is_empty() { "nothing that a finding names was met on more than one." }
        @else { (counted(incident.shared.len(), "thing was", "things were")) " met on more than one." }
    }
}

fn hosts(incident: &Incident) -> Markup {
    html! {
        section #hosts aria-labelledby="hosts-title" {
            h2 #hosts-title { "Hosts" }
            p .about { "The worst first." }
            @for page in incident.sorted() {
                article class={ "story stop " (worst(page).map_or("info", class)) } tabindex="-1" {
                    h3 { (Said(&page.host)) }
                    p .weight {
                        @if let Some(story) = page.stories.first() { (weight(story.severity, story.certainty)) }
                        @else { span .certainty { (Said(&state(page))) } }
                    }
                    @if !page.stories.is_empty() {
                        ul .facts { @for story in &page.stories { li { (Said(&story.title)) } } }
                    }
                    dl .points {
                        div { dt { "Looked at" } dd { (time(page.run.started)) @if !page.complete() { ", not to its end" } } }
                        div { dt { "Case" } dd .path { (Said(&page.case)) } }
                        @if let Some(phrase) = &page.phrase { div { dt { "Seal" } dd { (Said(phrase)) } } }
                    }
                }
            }
            @for (case, why) in &incident.failed {
                article .story .info {
                    h3 { (Said(case)) }
                    p { "Not read: " (Said(&sentence(why))) }
                }
            }
        }
    }
}

fn together(incident: &Incident) -> Markup {
    html! {
        section #shared aria-labelledby="shared-title" {
            h2 #shared-title { "What they share" }
            p .about {
                "Contents, keys, addresses, units, accounts and files that a finding names and that were met on more than one host. \
                 The same administrator's key on all of them is ordinary; the same unknown program is not."
            }
            @if incident.shared.is_empty() {
                p .faint { "Nothing. It may still be one intruder." }
            } @else {
                div .scroll {
                    table {
                        thead { tr { th scope="col" { "how bad" } th scope="col" { "what" } th scope="col" { "value" } th scope="col" { "on" } } }
                        tbody { @for shared in &incident.shared { (row(incident, shared)) } }
                    }
                }
            }
        }
    }
}

fn row(incident: &Incident, shared: &Shared) -> Markup {
    html! {
        tr {
            td data-label="how bad" {
                @match shared.severity {
                    Some(severity) => { span class={ "severity " (class(severity)) } { (severity.to_string()) } }
                    None => { span .certainty-none { "no finding" } }
                }
            }
            td data-label="what" { (Said(&shared.what)) }
            td .code data-label="value" { (Said(&shared.value)) }
            td data-label="on" {
                @for (number, (name, severity)) in incident.names(shared).enumerate() {
                    @if number > 0 { ", " }
                    (Said(name)) @if severity.is_none() { " " span .faint { "(seen, no finding)" } }
                }
            }
        }
    }
}
