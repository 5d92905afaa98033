//! Reads stored pieces again, from the medium and not from memory, and compares.

use crate::CaseError;
use crate::evidence::{Piece, place};
use crate::folder::Folder;
use calma_record::Digest;
use rustix::fs::{Advice, fadvise};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroU64;

/// Pieces are read by so many threads: most of the time goes by in waiting for the disk.
const HANDS: usize = 4;
/// So few are not worth a thread.
const FEW: usize = 8;
/// The disk is asked for so many at once.
const AHEAD: usize = 32;
/// Pieces up to this size, packed and unpacked, are read in one go.
const SMALL: usize = 256 << 10;

/// The folders of pieces that are open, by their names.
type Folders = BTreeMap<String, Folder>;

/// Reads all these pieces. They are best given in the order in which they were written, which is that of the medium.
///
/// # Errors
/// When one does not give back the bytes of its digest.
pub(crate) fn all_come_back(
    evidence: &Folder,
    folders: &Folders,
    wanted: &[Digest],
) -> Result<(), CaseError> {
    let one = |part: &[Digest]| {
        let fault = |error| evidence.fault("can not unpack what was kept in", "", error);
        Hand::new().map_err(fault)?.all(evidence, folders, part)
    };
    if wanted.len() <= FEW {
        return one(wanted);
    }
    std::thread::scope(|scope| {
        let parts = wanted.chunks(wanted.len().div_ceil(HANDS));
        let hands: Vec<_> = parts
            .map(|part| (part, std::thread::Builder::new().spawn_scoped(scope, move || one(part))))
            .collect();
        hands.into_iter().try_for_each(|(part, hand)| match hand {
            Ok(hand) => hand.join().unwrap_or(Err(CaseError::NotKept("it can not be read again"))),
            // No more threads can be had on this machine now.
            Err(_) => one(part),
        })
    })
}

/// Opens a piece and has the medium asked for it.
fn ask(evidence: &Folder, folders: &Folders, digest: &Digest) -> Result<File, CaseError> {
    let (folder, name) = place(digest);
    let file = match folders.get(&folder) {
        Some(folder) => folder.read(&name)?,
        None => evidence.sub(&folder)?.read(&name)?,
    };
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
    let _ = fadvise(&file, 0, NonZeroU64::new(SMALL as u64), Advice::WillNeed);
    Ok(file)
}

/// Who reads, with the space for it.
struct Hand {
    zstd: zstd::bulk::Decompressor<'static>,
    packed: Vec<u8>,
    bytes: Vec<u8>,
}

impl Hand {
    fn new() -> io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Decompressor::new()?, packed: Vec::new(), bytes: Vec::new() })
    }

    fn all(&mut self, evidence: &Folder, folders: &Folders, wanted: &[Digest]) -> Result<(), CaseError> {
        let mut waiting: VecDeque<(Digest, File)> = VecDeque::new();
        for digest in wanted {
            if waiting.len() >= AHEAD {
                self.next(evidence, &mut waiting)?;
            }
            waiting.push_back((*digest, ask(evidence, folders, digest)?));
        }
        while !waiting.is_empty() {
            self.next(evidence, &mut waiting)?;
        }
        Ok(())
    }

    /// Reads the one that was asked for first.
    fn next(&mut self, evidence: &Folder, waiting: &mut VecDeque<(Digest, File)>) -> Result<(), CaseError> {
        let Some((digest, file)) = waiting.pop_front() else { return Ok(()) };
        if self.small(&digest, &file).unwrap_or(false) {
            return Ok(());
        }
        // Larger, or not what it should be: that way tells which.
        let (folder, name) = place(&digest);
        let fault = |error| evidence.fault("what was kept does not come back from", &name, error);
        Piece::open(&evidence.sub(&folder)?, &name, digest)?.check().map(drop).map_err(fault)
    }

    /// Whether it is a small piece and gives back the bytes of its digest.
    fn small(&mut self, digest: &Digest, file: &File) -> io::Result<bool> {
        self.packed.clear();
        file.take(SMALL as u64 + 1).read_to_end(&mut self.packed)?;
        if self.packed.len() > SMALL {
            return Ok(false);
        }
        self.bytes.clear();
        self.bytes.reserve(SMALL);
        self.zstd.decompress_to_buffer(&self.packed, &mut self.bytes)?;
        Ok(Digest::of(&self.bytes) == *digest)
    }
}
