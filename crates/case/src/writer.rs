//! The one writer of a stream: takes frames of a host side that may lie, and adds them to the case.

use crate::chain::{Chain, Part, pack};
use crate::keeper::{Kept, Line};
use crate::pieces::{Left, Pieces};
use crate::{Case, CaseError, Seal};
use calma_record::frame::{Frame, FrameKind, read_records};
use calma_record::{Blob, Body, Gap, Record, StreamName};
use ed25519_dalek::SigningKey;
use std::io;

/// Writes one stream of a case. Whatever happens, what was written is whole up to its last frame.
#[must_use = "a stream that is not sealed can be changed without a trace"]
pub struct StreamWriter {
    pub(crate) case: Case,
    pub(crate) name: StreamName,
    pub(crate) chain: Chain,
    pub(crate) key: SigningKey,
    pub(crate) pieces: Pieces,
    /// The number the host's next record must have.
    next: u64,
    notes: u64,
    /// Gaps that were written, and how often each happened since.
    gaps: Vec<(Gap, u64)>,
    refused: Option<&'static str>,
}

impl StreamWriter {
    pub(crate) fn new(case: Case, name: StreamName, chain: Chain, key: SigningKey, pieces: Pieces) -> Self {
        Self { case, name, chain, key, pieces, next: 0, notes: 0, gaps: Vec::new(), refused: None }
    }

    /// The stream's name.
    pub fn name(&self) -> &StreamName {
        &self.name
    }

    /// Takes a frame of the host side, whose place in the wire's chain was checked.
    ///
    /// # Errors
    /// [`CaseError::Refused`] when it is nothing a host side sends: nothing more of this host side is taken then, and a
    /// gap in the stream says so. Otherwise when the disk refuses; the same frame may be given again later.
    pub fn frame(&mut self, frame: &Frame) -> Result<(), CaseError> {
        self.accept(frame).map(|_| ())
    }

    /// The same, giving back the records that were added.
    ///
    /// # Errors
    /// As for [`StreamWriter::frame`].
    pub fn accept(&mut self, frame: &Frame) -> Result<Vec<Record>, CaseError> {
        if let Some(why) = self.refused {
            return Err(CaseError::Refused(why));
        }
        self.still_there()?;
        match frame.kind {
            FrameKind::Seal | FrameKind::Keeper => Err(self.refuse("a frame that only a keeper writes")),
            FrameKind::Chunk => self.chunk(frame).map(|()| Vec::new()),
            FrameKind::Records => self.records(frame),
        }
    }

    fn chunk(&mut self, frame: &Frame) -> Result<(), CaseError> {
        let Ok(raw) = frame.raw() else { return Err(self.refuse("a frame that does not decompress")) };
        let Some((id, bytes)) = raw.split_first_chunk() else {
            return Err(self.refuse("a piece of evidence without a number"));
        };
        let left = self.pieces.chunk(u32::from_le_bytes(*id), bytes)?;
        self.left(left)
    }

    fn records(&mut self, frame: &Frame) -> Result<Vec<Record>, CaseError> {
        let Ok(text) = frame.raw() else { return Err(self.refuse("a frame that does not decompress")) };
        let Ok(records) = read_records(&text).collect::<Result<Vec<Record>, _>>() else {
            return Err(self.refuse("a line that is not a record"));
        };
        let mut next = self.next;
        for record in &records {
            if record.seq != next {
                return Err(self.refuse("records that are not numbered in order"));
            }
            next += 1;
        }
        let mut kept: Vec<Kept> = Vec::new();
        let mut lefts = Vec::new();
        for record in &records {
            if let Body::Blob(blob) = &record.body
                && !kept.iter().any(|kept| kept.id == blob.id)
            {
                let (piece, left) = self.pieces.finish(blob)?;
                kept.extend(piece);
                lefts.push(left);
            }
        }
        let lines: Vec<Line> = kept.iter().cloned().map(Line::Kept).collect();
        let (length, packed) = pack(&lines).map_err(|error| self.fault(error))?;
        let host = Part { kind: frame.kind, raw_length: frame.raw_length, stored: &frame.stored };
        let keeper = Part { kind: FrameKind::Keeper, raw_length: length, stored: &packed };
        // One write: where the pieces went stands before the records that name them, or neither is there.
        let written = if kept.is_empty() { self.chain.put(&[host]) } else { self.chain.put(&[keeper, host]) };
        written.map_err(|error| self.fault(error))?;
        self.next = next;
        kept.iter().for_each(|kept| self.pieces.named(kept.id));
        lefts.into_iter().try_for_each(|left| self.left(left))?;
        Ok(records)
    }

    /// Adds a record of the keeper itself, such as the gap "the connection was lost". It is on the disk when this returns.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn note(&mut self, body: Body) -> Result<(), CaseError> {
        self.still_there()?;
        self.chain.put_lines(&[Line::note(self.notes, body)]).map_err(|error| self.fault(error))?;
        self.notes += 1;
        self.sync()
    }

    /// Adds records of the keeper itself, all of them or none. They are on the disk after [`StreamWriter::sync`].
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn add(&mut self, bodies: Vec<Body>) -> Result<(), CaseError> {
        self.still_there()?;
        let count = bodies.len() as u64;
        let lines: Vec<Line> =
            (self.notes..).zip(bodies).map(|(number, body)| Line::note(number, body)).collect();
        self.chain.put_lines(&lines).map_err(|error| self.fault(error))?;
        self.notes += count;
        Ok(())
    }

    /// Names pieces of evidence that the keeper itself has stored, all of them or none.
    pub(crate) fn kept(&mut self, pieces: &[(Kept, Blob)]) -> Result<(), CaseError> {
        self.still_there()?;
        let notes = (self.notes..)
            .zip(pieces)
            .map(|(number, (_, blob))| Line::note(number, Body::Blob(blob.clone())));
        let mut lines: Vec<Line> = pieces.iter().map(|(kept, _)| Line::Kept(kept.clone())).collect();
        lines.extend(notes);
        self.chain.put_lines(&lines).map_err(|error| self.fault(error))?;
        self.notes += pieces.len() as u64;
        Ok(())
    }

    /// Makes everything so far survive a power cut (fdatasync(2)).
    ///
    /// # Errors
    /// When the disk refuses, or the stream was removed.
    pub fn sync(&mut self) -> Result<(), CaseError> {
        self.still_there()?;
        self.chain.sync().map_err(|error| self.fault(error))
    }

    /// Ends the stream: pieces that never came to their end are kept as what they are, the head is signed, and
    /// everything is on the disk when this returns.
    ///
    /// # Errors
    /// When the disk refuses. The stream is then unsealed and whole up to its last frame.
    pub fn seal(mut self) -> Result<Seal, CaseError> {
        self.still_there()?;
        for id in self.pieces.unfinished() {
            if let (Some(kept), left) = self.pieces.store(id, None)? {
                self.chain.put_lines(&[Line::Kept(kept)]).map_err(|error| self.fault(error))?;
                self.pieces.named(id);
                self.left(left)?;
            }
        }
        for (gap, more) in std::mem::take(&mut self.gaps) {
            if more > 0 {
                self.note(Body::Gap(Gap { count: more, ..gap }))?;
            }
        }
        self.sync()?;
        let _lock = self.case.lock()?;
        let line = self.case.next_seal(&self.name, (self.chain.head(), self.chain.frames()), &self.key)?;
        let text = serde_json::to_vec(&line).map_err(|error| self.fault(error.into()))?;
        let length = u32::try_from(text.len()).map_err(|error| self.fault(io::Error::other(error)))?;
        self.chain
            .put(&[Part { kind: FrameKind::Seal, raw_length: length, stored: &text }])
            .and_then(|()| self.chain.file().sync_all())
            .map_err(|error| self.fault(error))?;
        self.case.streams.sync()?;
        Ok(line.seal(&self.name))
    }

    /// Writes a gap about left-out evidence, the first time with its own record, later as a count.
    fn left(&mut self, left: Left) -> Result<(), CaseError> {
        match left {
            Some(why) => self.gap(Gap::new("a piece of evidence", why).important()),
            None => Ok(()),
        }
    }

    fn gap(&mut self, gap: Gap) -> Result<(), CaseError> {
        match self.gaps.iter_mut().find(|(there, _)| there.same_cause(&gap)) {
            Some((_, more)) => *more += gap.count,
            None => {
                self.note(Body::Gap(gap.clone()))?;
                self.gaps.push((gap, 0));
            }
        }
        Ok(())
    }

    /// Nothing more of this host side is taken.
    fn refuse(&mut self, why: &'static str) -> CaseError {
        self.refused = Some(why);
        let gap = Gap::new("everything the host side sent after this", why).important();
        match self.note(Body::Gap(gap)) {
            Ok(()) => CaseError::Refused(why),
            Err(error) => error,
        }
    }

    fn fault(&self, error: io::Error) -> CaseError {
        self.case.streams.fault("can not write", &crate::scan::file_name(&self.name), error)
    }

    /// Writing into a removed file would succeed and be lost.
    fn still_there(&self) -> Result<(), CaseError> {
        match rustix::fs::fstat(self.chain.file()) {
            Ok(stat) if stat.st_nlink > 0 => Ok(()),
            Ok(_) => Err(CaseError::Removed(self.case.folder().to_owned())),
            Err(errno) => Err(self.fault(errno.into())),
        }
    }
}

impl std::fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamWriter")
            .field("name", &self.name)
            .field("frames", &self.chain.frames())
            .finish()
    }
}
