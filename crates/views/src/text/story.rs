//! One story, whole.

use super::finding::body;
use super::layout::{Style, spread, wrap};
use crate::Page;
use std::fmt::Write as _;

/// Everything about one story. `None` if there is no such number. With `raw`, each finding names its records.
pub fn story(page: &Page, number: u32, raw: bool, style: Style) -> Option<String> {
    let story = page.stories.iter().find(|story| story.number == number)?;
    let mut out = String::from("\n");
    let left = format!("  Story {number}: {}", story.title);
    let head = spread(&left, &story.certainty.to_string());
    out.push_str(&head.replacen(&left, &style.strong(&left), 1));
    let members: Vec<_> = story.findings.iter().filter_map(|index| page.findings.get(*index)).collect();
    for finding in &members {
        out.push('\n');
        out.push_str(&body(finding, raw, style));
    }
    out.push('\n');
    if !raw {
        let _ = writeln!(
            out,
            "  {}",
            style.faint(&format!(
                "To see the records it stands on: calma show {number} --raw --case {}",
                page.case
            ))
        );
    }
    let next = members.first().map(|finding| finding.next.as_str()).unwrap_or_default();
    out.push_str(&wrap("  ", &format!("Next: {next}.", next = next.trim_end_matches('.'))).replacen(
        "Next:",
        &style.strong("Next:"),
        1,
    ));
    Some(out)
}
