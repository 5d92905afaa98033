//! What calma can do to a host, one file an action: prepare, apply, verify, revert.
//!
//! An action knows neither the journal nor the terminal nor what comes before or after it. `prepare` only reads, and gives
//! an [`Undo`](calma_record::step::Undo): all that is needed to finish the step or to take it back. The hands that change
//! a machine come with a [`Permit`] alone, and a permit is given once the intent is on the keeper's disk. `apply` and
//! `revert` may be cut at any instant; run again from whatever was left, either of them comes to its end.
#![forbid(unsafe_code)]

mod action;
pub mod actions;
mod database;
mod edit;
mod foresee;
mod fresh;
mod image;
mod keep_off;
mod permit;
mod shadow;
mod tree;
mod vault;
mod whole;

pub use action::{Acting, Action, Ahead, Card, Done, Looking, Ready, Trouble, Verdict};
pub use foresee::{Foreseen, Foresight};
pub use keep_off::KeepOff;
pub use permit::{Ledger, Permit};
pub use vault::{Piece, Vault};

/// The action of this name.
pub fn named(name: &str) -> Option<&'static Action> {
    actions::ALL.iter().find(|action| action.card.name == name)
}
