//! "Rotate these, from a clean machine, now": what this host could open elsewhere, in the order in which it is changed.

use super::Report;
use super::words::{Said, counted, sentence};
use calma_record::{Rotation, RotationItem};
use maud::{Markup, html};

/// Places of one kind that are shown before the rest is folded.
const SHOWN: usize = 15;

/// The list. Places and kinds, never a value.
pub(super) fn rotate(report: &Report) -> Markup {
    html! {
        @if !report.page.rotations.is_empty() {
            section #rotate aria-labelledby="rotate-title" {
                h2 #rotate-title { "What to rotate" }
                p .about {
                    "Change these from a clean machine, now, in this order. Whoever was root here may have read all of them, and \
                     whoever was not, those that others may read. Nothing of what they hold is in the case."
                }
                ol .rotations { @for rotation in &report.page.rotations { (one(rotation)) } }
            }
        }
    }
}

fn one(rotation: &Rotation) -> Markup {
    let (shown, rest) = rotation.items.split_at(rotation.items.len().min(SHOWN));
    html! {
        li {
            h3 { (sentence(rotation.place).trim_end_matches('.')) }
            dl .points {
                div { dt { "Why here" } dd { (sentence(rotation.why)) } }
                div .step { dt { "Do" } dd { (sentence(rotation.how)) } }
            }
            ul .places { @for item in shown { (place(item)) } }
            @if !rest.is_empty() {
                details {
                    summary { "and " (counted(rest.len(), "more", "more")) }
                    ul .places { @for item in rest { (place(item)) } }
                }
            }
        }
    }
}

fn place(item: &RotationItem) -> Markup {
    html! {
        li {
            p .path { (Said(&item.path.to_string())) }
            p .faint {
                @if let Some(pid) = item.pid { "process " (pid) "; " }
                (Said(&item.what)) @if !item.known.is_empty() { ": " (Said(&item.known.join("; "))) }
            }
        }
    }
}
