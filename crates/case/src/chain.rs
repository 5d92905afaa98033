//! The growing end of one stream: whole frames or nothing.

use calma_record::Digest;
use calma_record::frame::{Encoder, FULL, FrameKind};
use std::fs::File;
use std::io::{self, Write};

/// How the keeper's lines are compressed: quickly, since what follows waits for them.
const QUICK: i32 = 1;

/// What a frame is made of.
pub(crate) struct Part<'a> {
    pub(crate) kind: FrameKind,
    pub(crate) raw_length: u32,
    pub(crate) stored: &'a [u8],
}

/// A file that only grows, by whole frames. A failed write leaves it as it was.
#[derive(Debug)]
pub(crate) struct Chain {
    file: File,
    head: Digest,
    frames: u64,
    length: u64,
    /// Whether bytes of an unfinished frame may stand behind `length`.
    ragged: bool,
    /// Whether everything is on the disk.
    synced: bool,
}

impl Chain {
    /// A chain in an empty file opened for appending.
    pub(crate) fn new(file: File) -> Self {
        Self { file, head: Digest::default(), frames: 0, length: 0, ragged: false, synced: false }
    }

    pub(crate) fn head(&self) -> Digest {
        self.head
    }

    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Appends all parts, each as a frame, or none of them.
    pub(crate) fn put(&mut self, parts: &[Part<'_>]) -> io::Result<()> {
        let mut encoder = Encoder::resume(self.head, self.frames);
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend(encoder.encode_stored(part.kind, part.raw_length, part.stored)?);
        }
        self.synced = false;
        if self.ragged {
            self.file.set_len(self.length)?;
            self.ragged = false;
        }
        if let Err(error) = self.file.write_all(&bytes) {
            // Kept in mind, so that the next attempt tries again before it appends.
            self.ragged = self.file.set_len(self.length).is_err();
            return Err(error);
        }
        self.length += bytes.len() as u64;
        (self.head, self.frames) = (encoder.head(), encoder.frames());
        Ok(())
    }

    /// Brings everything to the disk (fdatasync(2)); nothing is asked of it where all is there already.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if !self.synced {
            self.file.sync_data()?;
            self.synced = true;
        }
        Ok(())
    }

    /// Appends lines of the keeper, in as many frames as they need, or none of them.
    pub(crate) fn put_lines(&mut self, lines: &[crate::keeper::Line]) -> io::Result<()> {
        let packed = pack_all(lines)?;
        let parts: Vec<Part<'_>> = packed
            .iter()
            .map(|(raw_length, stored)| Part { kind: FrameKind::Keeper, raw_length: *raw_length, stored })
            .collect();
        self.put(&parts)
    }
}

/// Lines of the keeper as the payload of a frame.
pub(crate) fn pack(lines: &[crate::keeper::Line]) -> io::Result<(u32, Vec<u8>)> {
    let mut text = Vec::new();
    lines.iter().try_for_each(|line| crate::keeper::write(line, &mut text))?;
    compress(&text)
}

fn compress(text: &[u8]) -> io::Result<(u32, Vec<u8>)> {
    Ok((u32::try_from(text.len()).map_err(io::Error::other)?, zstd::bulk::compress(text, QUICK)?))
}

/// The same for any number of lines, as the payloads of as many frames as they need.
fn pack_all(lines: &[crate::keeper::Line]) -> io::Result<Vec<(u32, Vec<u8>)>> {
    let (mut packed, mut text) = (Vec::new(), Vec::new());
    for line in lines {
        let before = text.len();
        crate::keeper::write(line, &mut text)?;
        if before > 0 && text.len() > FULL {
            packed.push(compress(text.get(..before).unwrap_or_default())?);
            text.drain(..before);
        }
    }
    if !text.is_empty() {
        packed.push(compress(&text)?);
    }
    Ok(packed)
}
