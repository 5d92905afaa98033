//! Parsers of what a Linux host keeps: bytes in, plain values out.
//!
//! No parser here knows how a path is opened. None fails: a malformed input gives fewer values, never an error, a panic
//! or a hang, and the cost is linear in the input. Each format is one file with its card, [`Format`], whose samples the
//! harness in `tests/hostile.rs` cuts at every byte and mutates.
#![forbid(unsafe_code)]

mod formats;
mod json;
pub mod lines;
pub mod signs;
mod xml;
pub mod yara;
pub use formats::*;

/// A format's card: what it is, where it is specified, and what the harness feeds to it.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Short name, the same as its file's.
    pub name: &'static str,
    /// What it is, one sentence.
    pub doc: &'static str,
    /// Manual page, kernel header or specification it was written from.
    pub manual: &'static str,
    /// Well-formed samples.
    pub samples: &'static [&'static [u8]],
    /// Parses arbitrary bytes with every public parser of the file and drops the result.
    pub feed: fn(&[u8]),
}
