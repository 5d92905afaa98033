//! One finding: what, where, why it matters, how sure, the innocent explanation, the evidence.

use super::layout::{Style, spread, subject, wrap};
use crate::Page;
use calma_record::Finding;

/// One finding by its key. `None` if there is no such key.
pub fn finding(page: &Page, key: &str, raw: bool, style: Style) -> Option<String> {
    let finding = page.findings.iter().find(|finding| finding.key == key)?;
    let next = finding.next.trim_end_matches('.');
    let next = wrap("  ", &format!("Next: {next}.")).replacen("Next:", &style.strong("Next:"), 1);
    Some(format!("\n{}\n{next}", body(finding, raw, style)))
}

/// A finding without its next step.
pub(super) fn body(finding: &Finding, raw: bool, style: Style) -> String {
    let left = format!("  {}", finding.title);
    let right = format!("{}, {}", finding.severity, finding.certainty);
    let mut out = spread(&left, &right).replacen(&left, &style.severity(finding.severity, &left), 1);
    for fact in &finding.facts {
        out.push_str(&wrap("    · ", fact));
    }
    let named: Vec<String> = finding.subjects.iter().map(subject).collect();
    if !named.is_empty() {
        out.push_str(&wrap("    About: ", &named.join(" · ")));
    }
    out.push_str(&wrap("    Why it matters: ", &finding.why));
    if !finding.innocent.is_empty() {
        out.push_str(&wrap("    Innocent if: ", &format!("{}.", finding.innocent.trim_end_matches('.'))));
    }
    for evidence in finding.evidence.iter().take(if raw { usize::MAX } else { 3 }) {
        let record = if raw { format!("{}  ", evidence.record) } else { String::new() };
        let shows = &evidence.shows;
        out.push_str(&wrap(
            "    Seen: ",
            &format!("{record}{} in {} ({})", shows, evidence.source.place, evidence.source.forger),
        ));
    }
    let attack = if finding.attack.is_empty() {
        String::new()
    } else {
        format!("   ATT&CK {}", finding.attack.join(", "))
    };
    out.push_str(&format!("    {}\n", style.faint(&format!("{}{attack}", finding.key))));
    out
}
