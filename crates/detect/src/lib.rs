//! Detectors: what facts mean.
//!
//! A detector is one file in `detectors/` with its card. It sees tables of facts, never a host, a case or a clock, so the
//! same code judges a live host, a mounted tree and an old case again. The same facts in any order give the same findings.
#![forbid(unsafe_code)]

mod collapse;
mod credentials;
mod detector;
mod detectors;
mod draft;
mod entry;
mod judge;
mod own_word;
mod pam_stack;
mod reach;
mod rotation;
mod sockets;
mod stories;
mod tables;
pub mod weigh;

pub use detector::{Card, Detector};
pub use detectors::ALL;
pub use draft::Draft;
pub use judge::{Judgement, judge};
pub use rotation::rotations;
pub use tables::{Row, Tables};
