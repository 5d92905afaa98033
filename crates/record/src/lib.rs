//! Plain types of a case, and the framed stream that carries them from the host side to the keeper.
//!
//! This crate knows no files, no clocks and no output formats. Whatever crosses from a suspect host to the clean side
//! is one of these types, checked and bounded when it is read.
#![forbid(unsafe_code)]

mod digest;
mod escape;
mod finding;
pub mod frame;
mod gap;
mod kind;
pub mod kinds;
mod record;
mod rotation;
mod source;
pub mod step;
mod text;
mod time;

pub use digest::{Digest, DigestError};
pub use escape::printed;
pub use finding::{Certainty, Evidence, Finding, Severity, Story, Subject};
pub use gap::Gap;
pub use kind::{Column, Kind, Role, Schema};
pub use kinds::Fact;
pub use record::{Blob, Body, End, Record, RecordId, Run, Step, StepState, StreamName};
pub use rotation::{Rotation, RotationItem};
pub use source::{Forger, Source, View};
pub use text::Text;
pub use time::Timestamp;
