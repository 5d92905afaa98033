//! Acting on a machine at the other end of a connection.
//!
//! The keeper's end ([`RemoteSide`]) has the case and the journal; the host's end ([`serve`]) has the machine. They speak in
//! frames over the host's standard input and output:
//!
//! 1. The host's end says which machine it is, and answers questions.
//! 2. *Take*: it takes the machine's lock. A second calma is refused.
//! 3. *Prepare*: it looks whether steps can be done. What is to be kept goes to the keeper, who stores it and
//!    confirms its digest.
//! 4. *Go*: the keeper has the intents and everything they need on its disk, read back from there, and gives leave. What a step touches next and
//!    nobody could know before is noted: for files the host's end waits until the note is on the keeper's disk, for
//!    processes before the step counts as done.
//!
//! When the connection is lost, the host's end finishes the step at hand or takes it back, begins nothing new, gives the
//! lock back and ends. The keeper's journal says which steps are open; the next run puts them right.

mod afar;
mod coming;
mod frames;
mod host;
mod keeper;
mod pieces;
mod wire;
mod words;

pub use host::serve;
pub use keeper::RemoteSide;

/// What the host's end writes before its first frame, so that a banner before it is told apart.
pub(crate) const PREAMBLE: &[u8] = b"\n=calma-acting-1\n";
