//! The journal of actions: a stream of the keeper's own records, and the evidence that is kept before anything is changed.

use crate::pieces::Left;
use crate::{Case, CaseError, KEEPER, Kept, Seal, StreamWriter};
use calma_record::step::Entry;
use calma_record::{Blob, Body, Digest, Gap, StreamName, Text};
use std::io::Read;

/// The kind of stream in which it stands.
const KIND: &str = "journal";

/// One run's part of the journal, open for writing.
#[derive(Debug)]
pub struct Journal {
    writer: StreamWriter,
    next_piece: u32,
}

impl Case {
    /// Opens the journal for a run that changes the host.
    ///
    /// # Errors
    /// [`CaseError::Busy`] when another one is writing it.
    pub fn journal(&self) -> Result<Journal, CaseError> {
        let mut writer = self.begin(KIND)?;
        writer.pieces.keepers_own();
        Ok(Journal { writer, next_piece: 1 })
    }

    /// Every entry of the journal, oldest first. A run that was killed gives what it wrote whole.
    ///
    /// # Errors
    /// When a stream can not be read or is broken.
    pub fn journal_entries(&self) -> Result<Vec<Entry>, CaseError> {
        let mut entries = Vec::new();
        for stream in self.streams()?.iter().filter(|name| is_journal(name)) {
            for record in self.records(stream)? {
                let record = record?;
                // Only the keeper's own records are the journal, whatever else stands in the stream.
                if let (true, Body::Action(entry)) = (record.seq >= KEEPER, record.body) {
                    entries.push(*entry);
                }
            }
        }
        Ok(entries)
    }
}

/// Whether a stream is a part of the journal.
fn is_journal(name: &StreamName) -> bool {
    name.0.strip_prefix(KIND).is_some_and(|rest| rest.starts_with('-'))
}

impl Journal {
    /// Adds entries; they survive the end of this process, and a power cut after [`Journal::sync`].
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&mut self, entries: Vec<Entry>) -> Result<(), CaseError> {
        self.writer.add(entries.into_iter().map(|entry| Body::Action(Box::new(entry))).collect())
    }

    /// Adds a gap: something that nobody knows and that belongs to the journal.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn gap(&mut self, gap: Gap) -> Result<(), CaseError> {
        self.writer.add(vec![Body::Gap(gap)])
    }

    /// Makes everything so far survive a power cut: evidence first, then the entries that name it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&mut self) -> Result<(), CaseError> {
        self.writer.pieces.settle()?;
        self.writer.sync()
    }

    /// Keeps everything `from` gives as a piece of evidence. It is whole, or an error.
    ///
    /// # Errors
    /// When it can not be read or written to its end, or is more than the case may hold.
    pub fn keep(
        &mut self,
        what: &str,
        place: &Text,
        pid: Option<u32>,
        from: &mut dyn Read,
    ) -> Result<Kept, CaseError> {
        let id = self.next_piece;
        self.next_piece += 1;
        let refused = |left: Left| match left {
            Some(why) => Err(CaseError::NotKept(why)),
            None => Ok(()),
        };
        let mut buffer = vec![0; 256 << 10];
        refused(self.writer.pieces.chunk(id, &[])?)?;
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => refused(self.writer.pieces.chunk(id, buffer.get(..n).unwrap_or_default())?)?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.writer.pieces.drop_piece(id);
                    return Err(CaseError::Io {
                        doing: "can not read",
                        place: place.to_string().into(),
                        error,
                    });
                }
            }
        }
        let (kept, left) = self.writer.pieces.store(id, None)?;
        refused(left)?;
        let kept = kept.ok_or(CaseError::NotKept("its bytes did not come"))?;
        let blob = Blob {
            id,
            digest: kept.digest,
            size: kept.size,
            what: what.to_owned(),
            place: place.clone(),
            pid,
            partial: false,
        };
        self.writer.kept(kept.clone(), blob)?;
        Ok(kept)
    }

    /// Ends this run's part: signed, and on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn seal(mut self) -> Result<Seal, CaseError> {
        self.sync()?;
        self.writer.seal()
    }
}

impl Case {
    /// Whether a stored piece gives back the bytes of its digest; it is read again for that.
    ///
    /// # Errors
    /// When it does not.
    pub fn check_evidence(&self, digest: &Digest) -> Result<(), CaseError> {
        let read = std::io::copy(&mut self.evidence(digest)?, &mut std::io::sink());
        read.map(|_| ()).map_err(|error| CaseError::Io {
            doing: "can not read again",
            place: digest.to_string().into(),
            error,
        })
    }
}
