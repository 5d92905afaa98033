//! Small pieces of text that several parts of the report share.

use calma_record::{Certainty, Severity, Timestamp, printed};
use maud::{Markup, Render, html};

/// Text that may have come from the host: nothing in it moves, hides or reorders its neighbours, and it is no markup.
pub(super) struct Said<'a>(pub(super) &'a str);

impl Render for Said<'_> {
    fn render_to(&self, buffer: &mut String) {
        printed(self.0).as_ref().render_to(buffer);
    }
}

/// A severity's name in class attributes.
pub(super) fn class(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Info => "info",
    }
}

/// How bad and how sure, in words.
pub(super) fn weight(severity: Severity, certainty: Certainty) -> Markup {
    html! {
        span class={ "severity " (class(severity)) } { (severity.to_string()) }
        span .certainty { (certainty.to_string()) }
    }
}

/// An instant as one reads it, in UTC to the second; the page's script adds the reader's own zone.
pub(super) fn time(at: Timestamp) -> Markup {
    let whole = Timestamp::new(at.seconds(), 0).to_string();
    let shown = whole.trim_end_matches('Z').replace('T', " ");
    html! { time datetime=(whole) { (shown) " UTC" } }
}

/// 1,942
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// 1.8 MB
pub(super) fn bytes(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number as f64 / 1e6),
        _ => format!("{:.1} GB", number as f64 / 1e9),
    }
}

/// `1 story`, `2 stories`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(count as u64)) }
}

/// A sentence with exactly one full stop at its end.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    let first: String = letters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
