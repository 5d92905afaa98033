//! What a detector is.

use crate::{Draft, Tables};

/// A detector's card: everything that is the same in all its findings, and what documentation needs.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// Name, the same as its file's with `-` for `_`; stable, part of finding keys.
    pub name: &'static str,
    /// One sentence: what it finds.
    pub doc: &'static str,
    /// Numbers of the mechanisms it covers, in the table of hiding and persistence checks (docs/mechanisms.md).
    pub mechanisms: &'static [u8],
    /// ATT&CK technique ids.
    pub attack: &'static [&'static str],
    /// Why a finding of it matters, in one or two plain sentences.
    pub why: &'static str,
    /// The usual innocent explanation, as "Innocent if: …" without these words; empty if nothing ordinary does this.
    pub innocent: &'static str,
    /// The one next step.
    pub next: &'static str,
}

/// A detector: its card and its function. Each file in `detectors/` has one, `DETECTOR`.
#[derive(Clone, Copy, Debug)]
pub struct Detector {
    /// Its card.
    pub card: Card,
    /// Judges the tables. Findings come out in any order; they are sorted later.
    pub judge: fn(&Tables, &mut Vec<Draft>),
}
