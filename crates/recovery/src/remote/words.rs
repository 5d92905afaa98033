//! What the two ends say to each other.

use crate::side::{Answer, Errand, Question, Report};
use calma_act::Piece;
use calma_record::step::{Manifest, Refusal, Step, Undo};
use calma_record::{Digest, Text};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of these words. The keeper sends its own program, so the two ends always agree; this is said all the same.
pub(super) const VERSION: u32 = 1;

/// The keeper's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    /// Answer this: [`Claim::Answer`].
    Ask(Question),
    /// Take the machine: [`Claim::Taken`].
    Take,
    /// From now on servers of databases are ended like any other process; no answer.
    EvenDatabases,
    /// Give it back; no answer.
    Release,
    /// Look whether these steps can be done: one [`Claim::Prepared`] each, in this order.
    Prepare {
        /// The steps.
        steps: Vec<Step>,
    },
    /// Leave to go so many errands, which follow: their intents are on the keeper's disk. [`Claim::Gone`] at the end.
    Go {
        /// How many.
        count: usize,
    },
    /// One of them.
    Errand(Box<Errand>),
    /// A note is on the keeper's disk.
    Noted,
    /// A piece is stored and is this. It is read back from the disk before there is leave to go anything.
    Kept(Piece),
    /// A stored piece is read back from the disk before there is leave to go anything.
    Checked,
    /// Bytes of a piece follow.
    Fetched {
        /// How many.
        length: u64,
        /// Whether the piece ends with them.
        last: bool,
    },
    /// Instead of an answer to what the host's end asked for: it can not be.
    Sorry(String),
}

/// The host's end's words. Each is a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Claim {
    /// Who is there.
    Here {
        /// Of these words.
        version: u32,
        /// The kernel's boot id.
        boot: Text,
        /// The machine's own name for itself.
        name: Text,
    },
    /// An answer.
    Answer(Answer),
    /// Whether the machine is taken.
    Taken(Taking),
    /// What became of looking at a step.
    Prepared(Result<Undo, Refusal>),
    /// Bytes to keep follow, up to [`Claim::Kept`].
    Keep {
        /// What they are.
        what: String,
        /// Where they stand there.
        place: Text,
        /// Of which process.
        pid: Option<u32>,
        /// Everything about the file, if it is one that is taken off the system.
        manifest: Option<Box<Manifest>>,
    },
    /// They are all there.
    Kept(Piece),
    /// They could not be read to their end.
    NotKept,
    /// Does the stored piece give its bytes back?
    Check(Digest),
    /// The bytes of a piece, from an offset on.
    Fetch {
        /// Which.
        digest: Digest,
        /// From where.
        offset: u64,
    },
    /// A step begins.
    Begins(u64),
    /// What a step touches next.
    Note {
        /// The step's number.
        id: u64,
        /// What.
        note: Value,
    },
    /// A step ended.
    Ended(Report),
    /// Nothing of the errands is under way any more. A reason, if they were not gone.
    Gone(Option<String>),
    /// It ends: it was told something that no keeper tells.
    Confused,
}

/// Whether a machine is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Taking {
    /// It is.
    Taken,
    /// Another calma has it.
    NotAlone,
    /// It refuses.
    Refused(String),
}
