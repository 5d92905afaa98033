//! What stands around the report: its head with the policy, the contents, the script.

use super::Report;
use super::words::Said;
use base64::Engine as _;
use calma_record::Digest;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// `'sha256-…'` as a policy names an inline script or style (CSP Level 3, 2.3.1).
fn named(text: &str) -> String {
    let digest = Digest::of(text.as_bytes());
    format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(digest.0))
}

/// Nothing is loaded, sent or framed; only this script and this style sheet run, and the script can not write markup.
pub(super) fn policy() -> String {
    format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        named(SCRIPT),
        named(STYLE)
    )
}

/// Everything up to the body's content. The body is closed by [`foot`].
pub(super) fn head(title: &str) -> Markup {
    html! {
        (DOCTYPE)
        (PreEscaped("<html lang=\"en\">"))
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy());
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="referrer" content="no-referrer";
            meta name="color-scheme" content="light dark";
            title { (Said(title)) " · calma" }
            style { (PreEscaped(STYLE)) }
        }
        (PreEscaped("<body>"))
    }
}

/// The script and the end of the page.
pub(super) fn foot() -> Markup {
    html! {
        script { (PreEscaped(SCRIPT)) }
        (PreEscaped("</body></html>\n"))
    }
}

/// Links for the keyboard, seen when they have the focus.
pub(super) fn skip_links(report: &Report) -> Markup {
    html! {
        a .skip href="#stories" { "Skip to the stories" }
        a .skip href="#gaps" { "Skip to what was not seen" }
        @if let Some(section) = report.sections.first() {
            a .skip href={ "#" (section.id) } { "Skip to the facts" }
        }
    }
}

/// The contents, the search field and the switch between light and dark.
pub(super) fn contents(report: &Report) -> Markup {
    let small = report.page.findings.iter().any(|finding| finding.story == 0);
    html! {
        nav aria-label="Contents" {
            p .find {
                label for="find" { "Search " kbd { "/" } }
                input #find type="search" autocomplete="off" spellcheck="false" aria-describedby="found";
                output #found for="find" aria-live="polite" {}
            }
            ul {
                li { a href="#stories" { "Stories" } }
                @if small { li { a href="#small" { "Smaller things" } } }
                @if !report.page.rotations.is_empty() { li { a href="#rotate" { "What to rotate" } } }
                li { a href="#gaps" { "Not seen" } }
                @for section in &report.sections {
                    li { a href={ "#" (section.id) } { (section.title) } }
                }
                li { a href="#evidence" { "Evidence" } }
                li { a href="#glossary" { "Glossary" } }
            }
            p .theme { button #theme type="button" { "Light or dark" } }
            p .keys {
                kbd { "j" } " " kbd { "k" } " next, previous" br;
                kbd { "/" } " search " kbd { "t" } " theme"
            }
        }
    }
}
