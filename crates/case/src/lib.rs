//! The case: one folder with append-only, hash-chained, sealed streams and content-addressed evidence.
//!
//! What a fact means is unknown here. A host side that lies can only add records to its own stream, within bounds.
//!
//! | in the folder | what it is |
//! |---|---|
//! | `case.json` | what the case is about; never changed |
//! | `streams/NAME.calma` | one chain of frames each ([`calma_record::frame`]), one writer each |
//! | `evidence/ab/SHA256.zst` | pieces of evidence by the digest of their bytes; compressed, so that none can be run |
//! | `evidence/partial/` | pieces that did not come to their end |
//! | `derived/` | whatever can be made again from the rest: the report |
//! | `private/` | what is never handed on: the list of stand-ins of redacted exports |
//! | `README.txt` | for whoever finds the folder |
//!
//! A stream begins with the keeper's [`Opening`]. The host's records keep the numbers the host gave them; the keeper's
//! own records (gaps such as "the connection was lost") stand between them in frames of their own kind, and their
//! numbers begin at [`KEEPER`], so that neither renumbers the other.
#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    reason = "a case is files on the keeper's machine, under the keeper's clock"
)]

mod about;
mod again;
mod age;
mod away;
mod case;
mod chain;
mod error;
mod evidence;
mod export;
mod folder;
mod journal;
mod keeper;
mod packer;
mod phrase;
mod pieces;
mod place;
mod read;
mod scan;
mod seal;
mod verify;
mod writer;

pub use about::{About, PlaceKind, now};
pub use age::{Identity, Recipient};
pub use away::Away;
pub use case::Case;
pub use error::CaseError;
pub use evidence::Piece;
pub use export::{ExportForm, ExportOptions};
pub use journal::Journal;
pub use keeper::{Earlier, KEEPER, Kept, Opening};
pub use packer::Packer;
pub use place::{Disk, Memory, Place, PlaceFacts, Purpose};
pub use read::Records;
pub use seal::Seal;
pub use verify::{EvidenceState, StreamState, Verification};
pub use writer::StreamWriter;
