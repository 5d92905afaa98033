//! The summary over several hosts.

use super::layout::{Style, cut, wrap};
use crate::Page;
use std::fmt::Write as _;

/// One line a host, worst first. `failed` are the hosts that could not be looked at, with the reason.
pub fn hosts(pages: &[Page], failed: &[(String, String)], style: Style) -> String {
    let mut sorted: Vec<&Page> = pages.iter().collect();
    sorted.sort_by_key(|page| std::cmp::Reverse(page.findings.first().map(|finding| finding.severity)));
    let mut out = String::from("\n");
    let all = pages.len() + failed.len();
    let _ = writeln!(out, "  Looked at {} of {all} hosts; nothing on them was changed.\n", pages.len());
    for page in &sorted {
        let state = match page.stories.as_slice() {
            [] => "no sign of compromise in what could be seen".to_owned(),
            [one] => one.title.clone(),
            [first, rest @ ..] => format!("{} (and {} more)", first.title, rest.len()),
        };
        let _ = writeln!(out, "  {:<24} {}", cut(&page.host, 24), cut(&state, 52));
        let _ = writeln!(
            out,
            "  {:<24} {}",
            "",
            style.faint(&cut(&format!("calma show --case {}", page.case), 120))
        );
    }
    for (host, why) in failed {
        let _ = writeln!(out, "  {:<24} not looked at", cut(host, 24));
        out.push_str(&wrap("                           ", why));
    }
    out.push('\n');
    let next = match sorted.first().filter(|page| page.needs_you()) {
        Some(page) => format!("Next: begin with {}:   calma show --case {}", page.host, page.case),
        None if failed.is_empty() => "Next: nothing is urgent; keep the cases.".to_owned(),
        None => "Next: look at the hosts that did not answer.".to_owned(),
    };
    out.push_str(&wrap("  ", &next));
    out
}
