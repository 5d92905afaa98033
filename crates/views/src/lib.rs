//! What the user reads: terminal text, JSON lines and one HTML page, from findings, gaps and runs alone.
//!
//! No view knows a kind of fact by name. Everything that came from the host prints escaped.
#![forbid(unsafe_code)]

pub mod export;
mod incident;
pub mod json;
mod page;
pub mod redact;
pub mod report;
pub mod text;

pub use incident::{Incident, Shared};
pub use page::{Page, Trouble};
