//! The terminal: 80 columns, calm, one next step. Colour only repeats what words say.

mod cases;
mod finding;
mod gaps;
mod hosts;
mod incident;
mod layout;
mod low;
mod secrets;
mod story;
mod triage;

pub use cases::{Verified, verification};
pub use finding::finding;
pub use gaps::gaps;
pub use hosts::hosts;
pub use incident::incident;
pub use layout::{Style, wrap};
pub use low::low;
pub use secrets::secrets;
pub use story::story;
pub use triage::triage;
