//! The stream's wire form: versioned, bounded, hash-chained frames.
//!
//! A frame is a 24-byte header, the stored payload and the chain's head after it:
//!
//! | bytes | content |
//! |---|---|
//! | 0..4 | `CALM` |
//! | 4 | version, 1 |
//! | 5 | kind: 1 records, 2 piece of evidence, 3 seal, 4 the keeper's own lines |
//! | 6..8 | zero |
//! | 8..16 | number of the frame, from 0, little endian |
//! | 16..20 | length of the payload before compression |
//! | 20..24 | length of the payload as stored |
//! | 24.. | payload: a zstd frame (RFC 8878); seals are stored as they are |
//! | last 32 | `head = SHA-256(previous head ‖ header ‖ stored payload)` |
//!
//! The chain runs over the *stored* bytes: some single-bit flips in a zstd frame decode to the same text, so a digest of
//! the text would miss them. The first frame's previous head is 32 zero bytes.

use crate::{Digest, Record};
use std::io::{self, Read};

const MAGIC: [u8; 4] = *b"CALM";
const VERSION: u8 = 1;
/// Length of a frame's header in bytes.
pub const HEADER: usize = 24;
/// A frame of records is closed when its text reaches this many bytes.
pub const FULL: usize = 1 << 20;
/// No payload is larger than this, before or after compression; a frame that claims more is refused unread.
pub const MAX: u32 = 8 << 20;

/// What the host side writes before its first frame, so that a banner or a login script's words before it are told apart.
pub const PREAMBLE: &[u8; 17] = b"\n=calma-stream-1\n";

/// What a frame's payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Records, one line of JSON each.
    Records,
    /// A piece of evidence: the blob's number (4 bytes, little endian), then bytes of it.
    Chunk,
    /// A seal: a signature over the head before it.
    Seal,
    /// Lines of JSON that the keeper wrote into a stored stream. Never sent by a host side.
    Keeper,
}

impl FrameKind {
    fn code(self) -> u8 {
        match self {
            Self::Records => 1,
            Self::Chunk => 2,
            Self::Seal => 3,
            Self::Keeper => 4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Records, Self::Chunk, Self::Seal, Self::Keeper].into_iter().find(|kind| kind.code() == code)
    }
}

/// Why a stream could not be read on.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream ends inside frame `frame`; everything before it is whole.
    #[error("the stream ends inside frame {frame}; the frames before it are whole")]
    Torn {
        /// The unfinished frame.
        frame: u64,
    },
    /// Frame `frame` is not what its writer wrote.
    #[error("frame {frame} is broken: {why}")]
    Broken {
        /// The broken frame.
        frame: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Reading failed.
    #[error("the stream can not be read")]
    Io(#[from] io::Error),
}

/// A frame as it stands in a stream; its place in the chain has been checked.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What the payload is.
    pub kind: FrameKind,
    /// Its number in the stream.
    pub seq: u64,
    /// Length of the payload before compression.
    pub raw_length: u32,
    /// The payload as stored.
    pub stored: Vec<u8>,
    /// The chain's head after this frame.
    pub head: Digest,
}

impl Frame {
    /// The payload before compression.
    ///
    /// # Errors
    /// [`FrameError::Broken`] when the stored bytes do not decompress to exactly the length the header states.
    pub fn raw(&self) -> Result<Vec<u8>, FrameError> {
        if self.kind == FrameKind::Seal {
            return Ok(self.stored.clone());
        }
        let broken = |why| FrameError::Broken { frame: self.seq, why };
        let length = usize::try_from(self.raw_length).map_err(|_| broken("its length is too large"))?;
        let raw =
            zstd::bulk::decompress(&self.stored, length).map_err(|_| broken("it does not decompress"))?;
        if raw.len() == length { Ok(raw) } else { Err(broken("it is shorter than it says")) }
    }
}

/// Writes frames, keeping the chain.
#[derive(Debug, Default)]
pub struct Encoder {
    head: Digest,
    next: u64,
}

impl Encoder {
    /// An encoder that goes on behind `frames` frames that ended with `head`.
    pub fn resume(head: Digest, frames: u64) -> Self {
        Self { head, next: frames }
    }

    /// The chain's head after the last frame.
    pub fn head(&self) -> Digest {
        self.head
    }

    /// How many frames were written.
    pub fn frames(&self) -> u64 {
        self.next
    }

    /// Compresses `raw` and returns the whole frame.
    ///
    /// # Errors
    /// When the payload is longer than [`MAX`] or does not compress.
    pub fn encode(&mut self, kind: FrameKind, raw: &[u8]) -> io::Result<Vec<u8>> {
        let stored = match kind {
            FrameKind::Seal => raw.to_vec(),
            // Level 1: the suspect's processor is not ours to spend.
            FrameKind::Records | FrameKind::Chunk | FrameKind::Keeper => zstd::bulk::compress(raw, 1)?,
        };
        let raw_length = u32::try_from(raw.len()).map_err(io::Error::other)?;
        self.encode_stored(kind, raw_length, &stored)
    }

    /// Frames a payload that is already in its stored form.
    ///
    /// # Errors
    /// When it is longer than [`MAX`].
    pub fn encode_stored(&mut self, kind: FrameKind, raw_length: u32, stored: &[u8]) -> io::Result<Vec<u8>> {
        let length = u32::try_from(stored.len()).map_err(io::Error::other)?;
        if raw_length > MAX || length > MAX {
            return Err(io::Error::other("a frame's payload is over 8 MiB"));
        }
        let mut frame = Vec::with_capacity(HEADER + stored.len() + 32);
        frame.extend_from_slice(&MAGIC);
        frame.extend_from_slice(&[VERSION, kind.code(), 0, 0]);
        frame.extend_from_slice(&self.next.to_le_bytes());
        frame.extend_from_slice(&raw_length.to_le_bytes());
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(stored);
        self.head = Digest::of_all([self.head.0.as_slice(), frame.as_slice()]);
        self.next += 1;
        frame.extend_from_slice(&self.head.0);
        Ok(frame)
    }
}

/// Reads frames, checking each against the chain.
#[derive(Debug)]
pub struct Decoder<R> {
    from: R,
    head: Digest,
    next: u64,
    offset: u64,
}

impl<R: Read> Decoder<R> {
    /// A decoder at the start of a stream.
    pub fn new(from: R) -> Self {
        Self { from, head: Digest::default(), next: 0, offset: 0 }
    }

    /// The chain's head after the last whole frame.
    pub fn head(&self) -> Digest {
        self.head
    }

    /// How many whole frames were read.
    pub fn frames(&self) -> u64 {
        self.next
    }

    /// How many bytes the whole frames took.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next frame; `None` where the stream ends between two frames.
    ///
    /// # Errors
    /// [`FrameError::Torn`] when the stream ends inside a frame, [`FrameError::Broken`] when a frame is not what its
    /// writer wrote, [`FrameError::Io`] when reading fails.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let mut header = [0; HEADER];
        match fill(&mut self.from, &mut header)? {
            0 => return Ok(None),
            HEADER => {}
            _ => return Err(FrameError::Torn { frame: self.next }),
        }
        let broken = |why| FrameError::Broken { frame: self.next, why };
        let mut rest = header.as_slice();
        if take(&mut rest)? != MAGIC {
            return Err(broken("it does not begin like a frame"));
        }
        let [version, code, zero_a, zero_b] = take(&mut rest)?;
        if version != VERSION {
            return Err(broken("its version is unknown; a newer calma may read it"));
        }
        let kind = FrameKind::from_code(code).ok_or_else(|| broken("its kind is unknown"))?;
        if zero_a != 0 || zero_b != 0 || u64::from_le_bytes(take(&mut rest)?) != self.next {
            return Err(broken("its header is not in order"));
        }
        let raw_length = u32::from_le_bytes(take(&mut rest)?);
        let length = u32::from_le_bytes(take(&mut rest)?);
        if raw_length > MAX || length > MAX {
            return Err(broken("it claims to be over 8 MiB"));
        }
        let mut stored = vec![0; usize::try_from(length).map_err(|_| broken("it is too large"))?];
        let mut head = [0; 32];
        if fill(&mut self.from, &mut stored)? != stored.len()
            || fill(&mut self.from, &mut head)? != head.len()
        {
            return Err(FrameError::Torn { frame: self.next });
        }
        let expected = Digest::of_all([self.head.0.as_slice(), &header, &stored]);
        if expected.0 != head {
            return Err(broken("its digest does not match"));
        }
        let frame = Frame { kind, seq: self.next, raw_length, stored, head: expected };
        self.head = expected;
        self.next += 1;
        self.offset += (HEADER + frame.stored.len() + head.len()) as u64;
        Ok(Some(frame))
    }
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn take<const N: usize>(from: &mut &[u8]) -> io::Result<[u8; N]> {
    let mut out = [0; N];
    from.read_exact(&mut out)?;
    Ok(out)
}

/// Appends `record` as one line of JSON.
///
/// # Errors
/// When the record can not be written as JSON.
pub fn write_record(record: &Record, lines: &mut Vec<u8>) -> io::Result<()> {
    serde_json::to_writer(&mut *lines, record)?;
    lines.push(b'\n');
    Ok(())
}

/// The records of a frame's text. A line that is no record at all is an error; one of an unknown kind is not.
///
/// # Errors
/// The line's own error, in its place.
pub fn read_records(text: &[u8]) -> impl Iterator<Item = Result<Record, serde_json::Error>> + '_ {
    text.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(Record::parse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, Gap};

    fn stream() -> Vec<u8> {
        let mut encoder = Encoder::default();
        let mut bytes = Vec::new();
        for n in 0..3 {
            let mut lines = Vec::new();
            let record = Record {
                seq: n,
                body: Body::Gap(Gap::new("open files", "permission denied").at(b"/\xff\x1b")),
            };
            write_record(&record, &mut lines).unwrap();
            bytes.extend(encoder.encode(FrameKind::Records, &lines).unwrap());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<u64, FrameError> {
        let mut decoder = Decoder::new(bytes);
        while let Some(frame) = decoder.next_frame()? {
            read_records(&frame.raw()?).for_each(|record| assert!(record.is_ok()));
        }
        Ok(decoder.frames())
    }

    #[test]
    fn a_stream_comes_back() {
        assert_eq!(read(&stream()).unwrap(), 3);
    }

    #[test]
    fn any_flipped_bit_is_found() {
        let bytes = stream();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_cut_stream_is_whole_up_to_its_last_frame() {
        let bytes = stream();
        for length in 0..bytes.len() {
            let mut decoder = Decoder::new(&bytes[..length]);
            let end = loop {
                match decoder.next_frame() {
                    Ok(Some(_)) => {}
                    other => break other,
                }
            };
            assert!(matches!(end, Ok(None) | Err(FrameError::Torn { .. })));
            assert!(decoder.offset() <= length as u64);
        }
    }

    #[test]
    fn a_record_of_an_unknown_kind_is_kept() {
        let line = br#"{"seq":4,"omen":{"bird":"raven"}}"#;
        let record = read_records(line).next().unwrap().unwrap();
        assert!(matches!(&record.body, Body::Unknown(value) if value["omen"]["bird"] == "raven"));
        let mut again = Vec::new();
        write_record(&record, &mut again).unwrap();
        assert_eq!(again.trim_ascii(), line);
    }
}
