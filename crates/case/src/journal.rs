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
    /// Pieces that are stored and not named in the stream yet: they are named together, before anything that rests on them.
    unnamed: Vec<(Kept, Blob)>,
    /// Where bytes pass through; held, since to ask for it anew for each piece costs more than a small piece does.
    buffer: Vec<u8>,
}

/// A piece up to this size is stored at once.
const SMALL: usize = 256 << 10;

impl Case {
    /// Opens the journal for a run that changes the host.
    ///
    /// # Errors
    /// [`CaseError::Busy`] when another one is writing it.
    pub fn journal(&self) -> Result<Journal, CaseError> {
        let mut writer = self.begin(KIND)?;
        writer.pieces.keepers_own();
        Ok(Journal { writer, next_piece: 1, unnamed: Vec::new(), buffer: Vec::new() })
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
        self.name()?;
        self.writer.add(entries.into_iter().map(|entry| Body::Action(Box::new(entry))).collect())
    }

    /// Adds a gap: something that nobody knows and that belongs to the journal.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn gap(&mut self, gap: Gap) -> Result<(), CaseError> {
        self.name()?;
        self.writer.add(vec![Body::Gap(gap)])
    }

    /// Brings the evidence to the disk, reads again from there what is to be checked, and names it in the stream.
    ///
    /// # Errors
    /// When the disk refuses, or does not give back what was written.
    pub fn settle(&mut self) -> Result<(), CaseError> {
        self.writer.pieces.settle()?;
        self.name()
    }

    /// Makes everything so far survive a power cut: evidence first, then the entries that name it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&mut self) -> Result<(), CaseError> {
        self.settle()?;
        self.writer.sync()
    }

    /// Has a piece read again once it is on the disk: [`Journal::settle`] fails if it does not come back.
    pub fn check_later(&mut self, digest: Digest) {
        self.writer.pieces.check_later(digest);
    }

    /// Names the stored pieces in the stream.
    fn name(&mut self) -> Result<(), CaseError> {
        if self.unnamed.is_empty() {
            return Ok(());
        }
        self.writer.kept(&self.unnamed)?;
        self.unnamed.clear();
        Ok(())
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
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(SMALL, 0);
        let mut first = 0;
        while let Some(space) = buffer.get_mut(first..).filter(|space| !space.is_empty()) {
            match from.read(space) {
                Ok(0) => break,
                Ok(n) => first += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(place, error)),
            }
        }
        let kept = match buffer.get(..first).filter(|_| first < SMALL) {
            Some(whole) => self.writer.pieces.store_small(id, whole, Digest::of(whole), &[])?,
            None => self.large(id, place, &mut buffer, from)?,
        };
        self.buffer = buffer;
        self.came(what, place, pid, &kept);
        Ok(kept)
    }

    /// Keeps a few bytes of which the digest is known already, and which a [`crate::Packer`] may have compressed.
    ///
    /// # Errors
    /// As for [`Journal::keep`].
    pub fn keep_whole(
        &mut self,
        what: &str,
        place: &Text,
        pid: Option<u32>,
        (bytes, digest): (&[u8], Digest),
        packed: &[u8],
    ) -> Result<Kept, CaseError> {
        let id = self.next_piece;
        self.next_piece += 1;
        let kept = self.writer.pieces.store_small(id, bytes, digest, packed)?;
        self.came(what, place, pid, &kept);
        Ok(kept)
    }

    /// Remembers a piece that is to be named in the stream.
    fn came(&mut self, what: &str, place: &Text, pid: Option<u32>, kept: &Kept) {
        let blob = Blob {
            id: kept.id,
            digest: kept.digest,
            size: kept.size,
            what: what.to_owned(),
            place: place.clone(),
            pid,
            partial: false,
        };
        self.unnamed.push((kept.clone(), blob));
    }

    /// Keeps a piece of which the first bytes fill the buffer, part by part.
    fn large(
        &mut self,
        id: u32,
        place: &Text,
        buffer: &mut [u8],
        from: &mut dyn Read,
    ) -> Result<Kept, CaseError> {
        let refused = |left: Left| match left {
            Some(why) => Err(CaseError::NotKept(why)),
            None => Ok(()),
        };
        refused(self.writer.pieces.chunk(id, buffer)?)?;
        loop {
            match from.read(buffer) {
                Ok(0) => break,
                Ok(n) => refused(self.writer.pieces.chunk(id, buffer.get(..n).unwrap_or_default())?)?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.writer.pieces.drop_piece(id);
                    return Err(unreadable(place, error));
                }
            }
        }
        let (kept, left) = self.writer.pieces.store(id, None)?;
        refused(left)?;
        self.writer.pieces.named(id);
        kept.ok_or(CaseError::NotKept("its bytes did not come"))
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

fn unreadable(place: &Text, error: std::io::Error) -> CaseError {
    CaseError::Io { doing: "can not read", place: place.to_string().into(), error }
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
