//! Packets that must not arrive.
//!
//! A canary is one small packet with a number nobody can guess. A round of them is sent before isolation, when they
//! ought to arrive, and again after it, when none may: what never arrived was not tested. Where no witness listens, they
//! go to the next hop and, with one hop to live, towards an address that exists in documentation alone (RFC 5737,
//! RFC 3849): the first router throws them away and says so, and that answer is the least traffic that proves a way out.
//!
//! What was seen is told as plain values; the verdict is made elsewhere.

mod aim;
mod frames;
mod kind;
mod mark;
mod outlook;
mod round;

pub use aim::{Aim, Canary, canaries};
pub use kind::CanaryKind;
pub use mark::{ANSWER, MARK, Mark, nonce_of_name};
pub use outlook::{Gateway, Outlook, Outward};
pub(crate) use outlook::{counters, rows};
pub use round::{Offset, Sent, Taken, Volley, round};

/// The port of canaries to a witness, and of its answers: one that no registered service uses.
pub const PORT: u16 = 20_919;
