//! The parts of the report that say how it came about: what was looked at, what was not seen, evidence, words.

use super::Report;
use super::words::{Said, bytes, counted, grouped, sentence, time};
use crate::Page;
use calma_record::Severity;
use maud::{Markup, html};

/// The top: which host, what is, what to do next, when and how it was looked at.
pub(super) fn masthead(report: &Report) -> Markup {
    let page = &report.page;
    let first = page.stories.first().and_then(|story| page.findings.get(*story.findings.first()?));
    html! {
        header {
            p .eyebrow { "calma report" }
            h1 { (Said(&page.host)) }
            p .lead { (summary(page)) }
            @if page.kernel_in_doubt {
                p .notice {
                    "This host's kernel may be lying: what a running system shows can then not be relied on. Start the server \
                     from a live distribution, or attach its disk to another machine, and look again with "
                    code { "calma triage --root DIR" } "."
                }
            }
            @for notice in &page.notices { p .notice { (Said(&sentence(notice))) } }
            @if report.redacted {
                p .notice {
                    "Secrets, accounts, addresses, host names and names below homes were replaced by stable stand-ins. \
                     The list stays in the case."
                }
            } @else {
                p .faint {
                    "Not redacted: this page may hold secrets of the host. Keep it as you keep the case; "
                    code { "calma report --out FILE" } " writes one to hand on."
                }
            }
            @if let Some(first) = first {
                p .next { strong { "Next " } (Said(&sentence(&first.next))) }
            }
            dl .look {
                div { dt { "Looked at" } dd { (time(page.run.started)) ", by the host's clock" } }
                div { dt { "Clock" } dd { (clock(report.ahead_ms)) } }
                div { dt { "Took" } dd { (format!("{:.1} s", page.seconds)) @if !page.complete() { ", not to its end" } } }
                div { dt { "Saw" } dd { (counts(page)) } }
                div { dt { "How" } dd { (how(page)) } }
                @if !page.run.kernel.is_empty() {
                    div { dt { "Kernel" } dd { (Said(&page.run.kernel.to_string())) " " (Said(&page.run.machine.to_string())) } }
                }
                div { dt { "Case" } dd .path { (Said(&page.case)) } }
                div { dt { "Seal" } dd { (seal(page)) } }
            }
        }
    }
}

fn summary(page: &Page) -> Markup {
    let worst = page.stories.first().map(|story| story.severity);
    html! {
        @match worst {
            Some(worst) => {
                (counted(page.stories.len(), "story needs", "stories need")) " you; the worst is "
                strong class={ "severity " (super::words::class(worst)) } { (worst.to_string()) } "."
            }
            None => {
                "No sign of compromise in what could be seen. Not the same as clean: a lying kernel, memory, and file contents \
                 were not checked."
            }
        }
    }
}

fn clock(ahead_ms: Option<i64>) -> String {
    let Some(ahead) = ahead_ms else { return "not compared with another".to_owned() };
    let (way, by) = (if ahead < 0 { "behind" } else { "ahead of" }, ahead.unsigned_abs());
    match by {
        0..2_000 => "agrees with the keeper's to two seconds".to_owned(),
        2_000..120_000 => format!("{} s {way} the keeper's", by / 1000),
        _ => format!(
            "{} minutes {way} the keeper's: correct every time on this page by that",
            grouped(by / 60_000)
        ),
    }
}

fn counts(page: &Page) -> String {
    let counts: Vec<String> =
        page.counts.iter().map(|(count, what)| format!("{} {what}", grouped(*count))).collect();
    if counts.is_empty() { "nothing that is counted".to_owned() } else { counts.join(" · ") }
}

fn how(page: &Page) -> String {
    let rights = if page.run.uid == 0 { "as root" } else { "with an ordinary user's rights" };
    let what = match page.run.target.as_str() {
        "live" => "the running system",
        "root" => "a mounted file system",
        _ => "an in-memory system",
    };
    format!("{what}, {rights}, with calma {}", page.run.version)
}

fn seal(page: &Page) -> Markup {
    html! {
        @match &page.phrase {
            Some(phrase) => { strong .phrase { (Said(phrase)) } " – the words to write down; " code { "calma case verify" } " shows the same ones" }
            None => { "not sealed" }
        }
    }
}

/// What could not be seen, the important things first, and how it can be seen all the same.
pub(super) fn gaps(page: &Page) -> Markup {
    let mut sorted: Vec<_> = page.gaps.iter().collect();
    sorted.sort_by_key(|gap| (!gap.important, std::cmp::Reverse(gap.count)));
    html! {
        section #gaps aria-labelledby="gaps-title" {
            h2 #gaps-title { "Not seen" }
            @if sorted.is_empty() {
                p .about { "Everything calma looks for could be seen." }
            } @else {
                p .about { "Not seen is not the same as not there." }
                ul .gaps {
                    @for gap in sorted {
                        li .important[gap.important] {
                            p {
                                strong { (Said(&gap.what)) } ": " (Said(&gap.why))
                                @if gap.count > 1 { " " span .faint { "(" (grouped(gap.count)) " times)" } }
                                @if gap.important { " " span .tag { "matters for the verdict" } }
                            }
                            @if !gap.instead.is_empty() { p { "To see it: " (Said(&gap.instead)) } }
                            @if let Some(example) = &gap.example { p .path { (Said(&example.to_string())) } }
                        }
                    }
                }
            }
        }
    }
}

/// Evidence in the case, with digests.
pub(super) fn pieces(report: &Report) -> Markup {
    html! {
        section #evidence aria-labelledby="evidence-title" {
            h2 #evidence-title { "Evidence" }
            @if report.pieces.is_empty() {
                p .about { "No copies of programs or files were kept in this case." }
            } @else {
                p .about { "Copies in the case, compressed so that none can be run, each by the SHA-256 of its bytes." }
                ul .pieces {
                    @for piece in &report.pieces {
                        li {
                            p { (Said(&piece.what)) ", " (bytes(piece.size)) @if piece.partial { " " span .tag { "not whole" } } }
                            p .path { (Said(&piece.place.to_string())) }
                            p .digest { (piece.digest.to_string()) }
                        }
                    }
                }
            }
        }
    }
}

/// What the words on this page mean.
pub(super) fn glossary(report: &Report) -> Markup {
    let mut groups: Vec<&str> = Vec::new();
    for (group, _, _) in &report.glossary {
        if !groups.contains(&group.as_str()) {
            groups.push(group);
        }
    }
    html! {
        section #glossary aria-labelledby="glossary-title" {
            h2 #glossary-title { "Glossary" }
            dl .terms {
                @for (word, means) in OWN { div { dt { (word) } dd { (means) } } }
            }
            @for group in groups {
                details {
                    summary { (group) }
                    dl .terms {
                        @for (_, word, means) in report.glossary.iter().filter(|(of, _, _)| of == group) {
                            div { dt { (Said(word)) } dd { (Said(&sentence(means))) } }
                        }
                    }
                }
            }
        }
    }
}

const OWN: &[(&str, &str)] = &[
    ("Critical", "An intruder acts or can act with root's rights."),
    ("High", "Look at it now."),
    ("Medium", "Look at it today."),
    ("Low, info", "Probably yours; look when there is time."),
    ("Certain", "Nothing ordinary does this."),
    ("Very likely, likely, possible", "Ordinary explanations are rare, less likely, as likely."),
    ("Story", "Findings that share a file, a process, an address or an account: probably one doing."),
    ("Gap", "Something that could not be seen. It is a result, and says how to see it all the same."),
    (
        "Could be forged by",
        "The least powerful party that could have made this fact untrue: the owner of the thing, root, the kernel.",
    ),
    ("Seal", "Six words that stand for everything in the case. Another word means another case."),
];

/// The end.
pub(super) fn footer(report: &Report) -> Markup {
    let page = &report.page;
    html! {
        footer {
            p {
                (counted(page.count(Severity::Critical), "critical finding", "critical findings")) ", "
                (page.count(Severity::High)) " high, " (page.count(Severity::Medium)) " medium, "
                (page.count(Severity::Low)) " low, " (page.count(Severity::Info)) " for information."
            }
            p .next {
                strong { "Next " }
                @match page.stories.first() {
                    Some(story) => { "read story " (story.number) " again beside the host: " code { "calma show " (story.number) " --raw --case " (Said(&page.case)) } }
                    None => { "keep the case where the server can not reach it: " code { "calma case export --case " (Said(&page.case)) } }
                }
            }
        }
    }
}
