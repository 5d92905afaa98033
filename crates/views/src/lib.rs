//! What the user reads: terminal text, JSON lines and one HTML page, from findings, gaps and runs alone.
//!
//! No view knows a kind of fact by name. Everything that came from the host prints escaped.
#![forbid(unsafe_code)]

pub mod json;
mod page;
pub mod report;
pub mod text;

pub use page::{Page, Trouble};
