//! Several hosts of one incident: which, and what they share.

use super::layout::{Style, cut, wrap};
use crate::incident::{Incident, state, worst};
use std::fmt::Write as _;

/// Shared things on the screen; the page holds all.
const SHOWN: usize = 20;

/// The screen of `calma report CASE1 CASE2 …`: the hosts worst first, then what was met on more than one.
pub fn incident(incident: &Incident, style: Style) -> String {
    let mut out = String::from("\n");
    let all = incident.hosts.len() + incident.failed.len();
    let _ = writeln!(out, "  {} of {all} cases read.\n", incident.hosts.len());
    for page in incident.sorted() {
        let line = format!("  {:<24} {}", cut(&page.host, 24), cut(&state(page), 52));
        let line = worst(page).map_or_else(|| line.clone(), |severity| style.severity(severity, &line));
        let _ = writeln!(out, "{line}");
    }
    for (case, why) in &incident.failed {
        let _ = writeln!(out, "  {:<24} not read", cut(case, 24));
        out.push_str(&wrap("                           ", why));
    }
    out.push('\n');
    if incident.shared.is_empty() {
        out.push_str(&wrap(
            "  ",
            "Nothing that a finding names was met on more than one of them. It may still be one intruder.",
        ));
    } else {
        let _ = writeln!(out, "  {}", style.strong("Met on more than one host"));
    }
    for shared in incident.shared.iter().take(SHOWN) {
        let severity = shared.severity.map_or_else(|| "info".to_owned(), |severity| severity.to_string());
        let line = wrap(&format!("  {severity:<9} {:<8} ", shared.what), &shared.value);
        out.push_str(
            &shared.severity.map_or_else(|| line.clone(), |severity| style.severity(severity, &line)),
        );
        let names: Vec<String> = incident
            .names(shared)
            .map(|(name, severity)| match severity {
                Some(_) => name.to_owned(),
                None => format!("{name} (seen, no finding)"),
            })
            .collect();
        out.push_str(&wrap("                     on ", &names.join(", ")));
    }
    if let Some(more) = incident.shared.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        out.push_str(&wrap("  ", &format!("and {more} more: calma report … --out FILE")));
    }
    out.push('\n');
    let next = match incident.sorted().first() {
        Some(page) if page.needs_you() => {
            format!("Next: begin with {}:   calma show 1 --case {}", page.host, page.case)
        }
        _ => "Next: nothing is urgent; keep the cases.".to_owned(),
    };
    out.push_str(&wrap("  ", &next).replacen("Next:", &style.strong("Next:"), 1));
    out
}
