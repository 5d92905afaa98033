//! The small things.

use super::finding::body;
use super::layout::{Style, counted, wrap};
use crate::Page;
use calma_record::Severity;

/// Every finding below medium that is in no story.
pub fn low(page: &Page, style: Style) -> String {
    let small: Vec<_> =
        page.findings.iter().filter(|f| f.severity < Severity::Medium && f.story == 0).collect();
    let mut out = String::from("\n");
    let head = counted(small.len(), "small thing, probably yours", "small things, probably yours");
    out.push_str(&wrap("  ", &format!("{head}.")));
    for finding in small {
        out.push('\n');
        out.push_str(&body(finding, false, style));
    }
    out.push('\n');
    out.push_str(&wrap("  ", "Next: read them when there is time; none of them is urgent by itself."));
    out
}
