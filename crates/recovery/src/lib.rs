//! The ten rules: what calma's commands do, without arguments and without rendering.
//!
//! `std::process::Command` is used here for two things alone: the host side, which is this same program, and the user's
//! own `ssh` on the clean machine. No program of the examined host is run.
#![forbid(unsafe_code)]

mod aftermath;
mod attest;
mod bodyfile;
mod child;
mod contain;
mod dossier;
mod engine;
mod incident;
mod link;
mod look;
mod mounted;
mod note;
mod remote;
mod review;
mod rules;
mod sections;
mod side;
mod signs;
mod strays;

pub use aftermath::{Back, watch};
pub use attest::{AttestError, Attestation, Testimony, testimony};
pub use bodyfile::write_bodyfile;
pub use child::LocalChild;
pub use contain::{ProposeError, Suspect, describe, propose, revives, suspects, undoable, verb};
pub use dossier::{Dossier, Seen, Term, Told, dossier, each_row, glossary, learn};
pub use engine::{Engine, EngineError, Event, History, Past, Stands};
pub use incident::{Shared, Tie, shared};
pub use link::{Link, LinkOptions, Program};
pub use look::{Ask, HostSide, HostSideError, LookError, Looked, Moment, look};
pub use mounted::may_change;
pub use note::{Note, note, notes};
pub use remote::{RemoteSide, serve};
pub use review::{Review, ReviewError, each_record, looked_at, review, review_with, unfinished};
pub use rules::{GivenRules, MOST_RULES, RulesError, read_rules};
pub use sections::{SECTIONS, Section, Shown};
pub use side::{Answer, Errand, Keeper, LocalSide, Question, Report, Side, SideError, Stage, Taken};
pub use signs::{Signs, SignsError, read_signs};
pub use strays::{more, programs};
