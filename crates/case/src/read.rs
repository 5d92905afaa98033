//! Reading a stream's records.

use crate::keeper::Line;
use crate::{Case, CaseError, Opening, scan};
use calma_record::frame::{Decoder, Frame, FrameError, FrameKind, read_records};
use calma_record::{Record, StreamName};
use std::fs::File;
use std::io::BufReader;

/// The records of one stream: the host's, and between them the keeper's own (numbered from [`crate::KEEPER`]).
/// Ends without an error at a torn tail.
#[derive(Debug)]
pub struct Records {
    name: StreamName,
    decoder: Decoder<BufReader<File>>,
    ready: std::vec::IntoIter<Record>,
    ended: bool,
}

impl Case {
    /// The records of a stream, sealed or not, also while it is written.
    ///
    /// # Errors
    /// When there is no such stream or it can not be opened.
    pub fn records(&self, stream: &StreamName) -> Result<Records, CaseError> {
        let file = scan::open(&self.streams, stream)?;
        Ok(Records {
            name: stream.clone(),
            decoder: Decoder::new(BufReader::with_capacity(1 << 16, file)),
            ready: Vec::new().into_iter(),
            ended: false,
        })
    }

    /// What the keeper wrote at the head of a stream; `None` when it was killed before that.
    ///
    /// # Errors
    /// When there is no such stream or it can not be read.
    pub fn opening(&self, stream: &StreamName) -> Result<Option<Opening>, CaseError> {
        let mut records = self.records(stream)?;
        let Some(frame) = records.frame()?.filter(|frame| frame.kind == FrameKind::Keeper) else {
            return Ok(None);
        };
        let text = frame.raw().map_err(|error| records.fault(error))?;
        Ok(Line::parse(&text).find_map(|line| match line {
            Ok(Line::Opening(opening)) => Some(*opening),
            _ => None,
        }))
    }
}

impl Records {
    /// The next whole frame.
    pub(crate) fn frame(&mut self) -> Result<Option<Frame>, CaseError> {
        match self.decoder.next_frame() {
            Ok(frame) => Ok(frame),
            Err(FrameError::Torn { .. }) => Ok(None),
            Err(error) => Err(self.fault(error)),
        }
    }

    pub(crate) fn fault(&self, error: FrameError) -> CaseError {
        let stream = self.name.0.clone();
        match error {
            FrameError::Io(error) => CaseError::Io { doing: "can not read", place: stream.into(), error },
            FrameError::Broken { frame, why } => CaseError::Broken { stream, frame, why },
            FrameError::Torn { frame } => CaseError::Broken { stream, frame, why: "it is cut off" },
        }
    }

    fn fill(&mut self) -> Result<bool, CaseError> {
        let Some(frame) = self.frame()? else { return Ok(false) };
        let unreadable = || CaseError::Broken {
            stream: self.name.0.clone(),
            frame: frame.seq,
            why: "a line is not a record",
        };
        let text = match frame.kind {
            FrameKind::Records | FrameKind::Keeper => frame.raw().map_err(|error| self.fault(error))?,
            FrameKind::Chunk | FrameKind::Seal => return Ok(true),
        };
        let records: Result<Vec<Record>, _> = match frame.kind {
            FrameKind::Keeper => Line::parse(&text)
                .filter_map(|line| match line {
                    Ok(Line::Note(record)) => Some(Ok(*record)),
                    Ok(_) => None,
                    Err(error) => Some(Err(error)),
                })
                .collect(),
            _ => read_records(&text).collect(),
        };
        self.ready = records.map_err(|_| unreadable())?.into_iter();
        Ok(true)
    }
}

impl Iterator for Records {
    type Item = Result<Record, CaseError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.ready.next() {
                return Some(Ok(record));
            }
            if self.ended {
                return None;
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
    }
}
