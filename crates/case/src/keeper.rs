//! The keeper's own lines in a stream.

use calma_record::{Body, Digest, Record, Timestamp};
use serde::{Deserialize, Serialize};

/// Numbers of the keeper's own records begin here, so that they never meet those of the host.
pub const KEEPER: u64 = 1 << 63;

/// A stream's first line: what it builds on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// The stream's own name, so that a renamed one is noticed.
    pub stream: String,
    /// When it was opened, by the keeper's clock.
    pub opened: Timestamp,
    /// Version of the calma that writes it.
    pub version: String,
    /// SHA-256 of `case.json`.
    pub about: Digest,
    /// SHA-256 of `README.txt`.
    pub readme: Digest,
    /// Public key (Ed25519) of the run that writes it; its seal must be signed with it.
    pub key: Digest,
    /// The streams that were there before it.
    pub earlier: Vec<Earlier>,
}

/// An earlier stream as it stood when another one was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// Its name.
    pub stream: String,
    /// How many whole frames it had.
    pub frames: u64,
    /// Its head after them.
    pub head: Digest,
}

/// Where a piece of evidence went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The number the host side gave it.
    pub id: u32,
    /// SHA-256 of its bytes as they came.
    pub digest: Digest,
    /// Length of its bytes.
    pub size: u64,
    /// SHA-256 of the stored file.
    pub stored: Digest,
    /// What the host side said its digest would be, where that is not what came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<Digest>,
    /// Whether it is all there.
    pub whole: bool,
}

/// A line of a keeper's frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// The first line of the stream.
    Opening(Box<Opening>),
    /// A piece of evidence was stored.
    Kept(Kept),
    /// A record of the keeper.
    Note(Box<Record>),
    /// A line of a newer calma.
    #[serde(untagged)]
    Unknown(serde_json::Value),
}

impl Line {
    pub(crate) fn note(number: u64, body: Body) -> Self {
        Self::Note(Box::new(Record { seq: KEEPER | number, body }))
    }

    pub(crate) fn parse(text: &[u8]) -> impl Iterator<Item = Result<Self, serde_json::Error>> + '_ {
        text.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(serde_json::from_slice)
    }
}

/// Adds a line to a text.
pub(crate) fn write(line: &Line, text: &mut Vec<u8>) -> std::io::Result<()> {
    serde_json::to_writer(Bits(text), line)?;
    text.push(b'\n');
    Ok(())
}

/// A text in the bits in which JSON is written. Most are of one to eight bytes, and there are hundreds of thousands: to hand each
/// to memcpy(3) takes several times as long, where that is musl's.
struct Bits<'a>(&'a mut Vec<u8>);

impl std::io::Write for Bits<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() <= 8 {
            bytes.iter().for_each(|byte| self.0.push(*byte));
        } else {
            self.0.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.write(bytes).map(drop)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
