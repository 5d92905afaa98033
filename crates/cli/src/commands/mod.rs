//! The commands, one file each.

pub(crate) mod act_side;
pub(crate) mod at;
pub(crate) mod case;
pub(crate) mod contain;
pub(crate) mod eject;
pub(crate) mod exchange;
pub(crate) mod home;
pub(crate) mod host_side;
pub(crate) mod incident;
pub(crate) mod isolate;
pub(crate) mod isolation_ears;
pub(crate) mod isolation_guard;
mod isolation_order;
mod isolation_steps;
pub(crate) mod isolation_suspects;
pub(crate) mod isolation_timer;
pub(crate) mod isolation_words;
pub(crate) mod note;
pub(crate) mod report;
pub(crate) mod show;
pub(crate) mod triage;
pub(crate) mod undo;
pub(crate) mod witness;
pub(crate) mod worker;

use crate::exit::{Exit, Refusal};

/// An error as a tired person reads it: what happened, why, what to do.
pub(crate) fn complaint(error: &anyhow::Error) -> String {
    let wrap = calma_views::text::wrap;
    match error.downcast_ref::<Refusal>() {
        Some(refusal) => {
            let lead = if refusal.exit == Exit::Failed { "  Cut off. " } else { "  Not done. " };
            format!("\n{}{}", wrap(lead, &refusal.why), wrap("  Do this: ", &refusal.instead))
        }
        None => {
            let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            causes.dedup();
            format!("\n{}", wrap("  This did not work: ", &causes.join(": ")))
        }
    }
}
