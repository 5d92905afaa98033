//! What could not be seen.

use super::layout::{Style, wrap};
use crate::Page;

/// Every gap, the important ones first, with the way to see it all the same.
pub fn gaps(page: &Page, style: Style) -> String {
    let mut sorted: Vec<_> = page.gaps.iter().collect();
    sorted.sort_by_key(|gap| (!gap.important, std::cmp::Reverse(gap.count)));
    let mut out = String::from("\n");
    if sorted.is_empty() {
        out.push_str("  Everything calma looks for could be seen.\n");
    } else {
        out.push_str(&wrap(
            "  ",
            "Not seen, the important ones first. Not seen is not the same as not there.",
        ));
    }
    for gap in sorted {
        out.push('\n');
        let head = format!("{}: {} ({} times)", gap.what, gap.why, gap.count);
        let head = if gap.important { style.strong(&head) } else { head };
        out.push_str(&wrap("  ", &head));
        if let Some(example) = &gap.example {
            out.push_str(&wrap("    for example ", &example.to_string()));
        }
        if !gap.instead.is_empty() {
            out.push_str(&wrap("    to see it: ", &gap.instead));
        }
    }
    out.push('\n');
    out.push_str(&wrap("  ", "Next: go back to the first screen:   calma show"));
    out
}
