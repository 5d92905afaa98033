//! What this server could open elsewhere, and the list of what to change.

use super::layout::{Style, counted, wrap};
use crate::Page;

/// Nouns that the summary names; the rest is a number.
const NAMED: usize = 4;
/// Secrets of one place that are shown; the rest is a number.
const SHOWN: usize = 40;

/// The summary on the screen after a look; `None` if nothing opens anything elsewhere.
pub(super) fn summary(page: &Page) -> Option<String> {
    let elsewhere: Vec<_> = page.rotations.iter().filter(|rotation| rotation.elsewhere).collect();
    let nouns: Vec<String> = elsewhere
        .iter()
        .take(NAMED)
        .map(|rotation| counted(rotation.items.len(), rotation.noun[0], rotation.noun[1]))
        .collect();
    let more: usize = elsewhere.iter().skip(NAMED).map(|rotation| rotation.items.len()).sum();
    let more = if more > 0 { format!(", {more} more") } else { String::new() };
    (!nouns.is_empty()).then(|| format!("{}{more} (calma show secrets)", nouns.join(", ")))
}

/// The list: where to go, in which order and why, and what stands where. Never a value.
pub fn secrets(page: &Page, style: Style) -> String {
    let mut out = String::from("\n");
    if page.rotations.is_empty() {
        out.push_str(&wrap(
            "  ",
            "No key, password or token was seen that opens anything, here or elsewhere.",
        ));
        out.push('\n');
        out.push_str(&wrap(
            "  ",
            "Next: think of what was typed on this server: it may have been read along.",
        ));
        return out;
    }
    out.push_str(&wrap("  ", "Rotate these, from a clean machine, now, in this order."));
    out.push_str(&wrap(
        "  ",
        "Whoever was root here may have read all of them, and whoever was not, those that others may read. Nothing of \
         what they hold is in the case: places and kinds alone. What was typed here may have been read along as well.",
    ));
    for (number, rotation) in (1..).zip(&page.rotations) {
        out.push('\n');
        let head = format!(" {number:>2}  ");
        let place = capital(rotation.place);
        out.push_str(&wrap(&head, &place).replacen(&place, &style.strong(&place), 1));
        out.push_str(&wrap("     Why here: ", &format!("{}.", rotation.why)));
        out.push_str(&wrap("     Do: ", &format!("{}.", rotation.how)));
        for item in rotation.items.iter().take(SHOWN) {
            out.push_str(&wrap("     · ", &item.path.to_string()));
            let pid = item.pid.map(|pid| format!("pid {pid}; ")).unwrap_or_default();
            out.push_str(&wrap("       ", &format!("{pid}{}: {}", item.what, item.known.join("; "))));
        }
        if let Some(more) = rotation.items.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            out.push_str(&wrap("     · ", &format!("and {more} more: calma show secrets --json")));
        }
    }
    out.push('\n');
    out.push_str(&wrap(
        "  ",
        "Next: begin with the first place, from a machine that was never logged in from here.",
    ));
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
