//! The vault of the thread that looks: it hands everything over.

use super::{About, Part, Used, Word};
use calma_act::{Piece, Trouble, Vault};
use calma_case::Packer;
use calma_record::step::{Manifest, Refusal, Undo};
use calma_record::{Digest, Text};
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;

/// Bytes go in parts of this size.
const PART: usize = 64 << 10;
/// Words go in groups: to wake a thread for each takes as long as what it says.
const GROUP: usize = 16;
/// Who is ahead by so many pieces compresses them too.
const AHEAD: usize = 16;

/// The vault.
pub(super) struct Handing<'a> {
    to: SyncSender<Vec<Word>>,
    group: Vec<Word>,
    used: &'a Used,
    /// What is filled next.
    spare: Part,
    /// What the step wants to be read again.
    checks: Vec<Digest>,
    /// How many pieces wait to be stored, and what compresses some of them.
    waiting: Option<(&'a AtomicUsize, Packer)>,
}

impl<'a> Handing<'a> {
    /// With the number of pieces that wait, where they are stored compressed.
    pub(super) fn new(to: SyncSender<Vec<Word>>, used: &'a Used, waiting: Option<&'a AtomicUsize>) -> Self {
        let waiting = waiting.and_then(|waiting| Some((waiting, Packer::new().ok()?)));
        Self { to, group: Vec::new(), used, spare: Part::default(), checks: Vec::new(), waiting }
    }

    /// Says what became of a step.
    pub(super) fn prepared(&mut self, result: Result<Undo, Refusal>) -> Result<(), Trouble> {
        let checks = std::mem::take(&mut self.checks);
        self.say(Word::Prepared(result, checks))
    }

    /// Hands over what was said.
    pub(super) fn flush(&mut self) -> Result<(), Trouble> {
        let group = std::mem::take(&mut self.group);
        self.to.send(group).map_err(|_| Trouble::new("nobody stores it"))
    }

    fn say(&mut self, word: Word) -> Result<(), Trouble> {
        self.group.push(word);
        if self.group.len() < GROUP { Ok(()) } else { self.flush() }
    }

    /// Fills a part, as far as there is something.
    fn fill(&mut self, from: &mut dyn Read) -> io::Result<()> {
        if self.spare.buffer.is_empty() {
            self.spare = self.used.get();
            self.spare.buffer.resize(PART, 0);
        }
        let part = &mut self.spare;
        part.packed.clear();
        part.length = 0;
        while let Some(space) = part.buffer.get_mut(part.length..).filter(|space| !space.is_empty()) {
            match from.read(space) {
                Ok(0) => break,
                Ok(n) => part.length += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Counts a piece that goes in one part, and compresses it if the other thread has enough to do.
    fn whole(&mut self, part: &mut Part) {
        let Some((waiting, packer)) = &mut self.waiting else { return };
        if waiting.fetch_add(1, Ordering::Relaxed) >= AHEAD {
            let bytes = part.buffer.get(..part.length).unwrap_or_default();
            if packer.pack(bytes, &mut part.packed).is_err() {
                part.packed.clear();
            }
        }
    }

    fn give(&mut self, about: About, from: &mut dyn Read) -> Result<Piece, Trouble> {
        let (mut hasher, mut size, mut about) = (Sha256::new(), 0, Some(about));
        loop {
            let filled = self.fill(from);
            let last = self.spare.length < PART;
            // What goes in one part needs no other word.
            if !(last && filled.is_ok())
                && let Some(about) = about.take()
            {
                self.say(Word::Piece(about))?;
            }
            if let Err(error) = filled {
                let trouble = Trouble::new(format!("it can not be read: {error}"));
                self.say(Word::Broken(error))?;
                return Err(trouble);
            }
            let mut part = std::mem::take(&mut self.spare);
            hasher.update(part.bytes());
            size += part.length as u64;
            if !last {
                self.say(Word::Bytes(part))?;
                continue;
            }
            let piece = Piece { digest: Digest(hasher.finalize().into()), size };
            match about {
                Some(about) => {
                    self.whole(&mut part);
                    self.say(Word::Whole(about, piece, part))?;
                }
                None => self.say(Word::Bytes(part)).and_then(|()| self.say(Word::End(piece)))?,
            }
            return Ok(piece);
        }
    }
}

impl Vault for Handing<'_> {
    fn keep(
        &mut self,
        what: &str,
        place: &Text,
        pid: Option<u32>,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        let (what, place) = (what.to_owned(), place.clone());
        self.give(About { what, place, pid, manifest: None }, from)
    }

    fn keep_away(
        &mut self,
        what: &str,
        place: &Text,
        manifest: &Manifest,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        let (what, place, manifest) = (what.to_owned(), place.clone(), Some(Box::new(manifest.clone())));
        self.give(About { what, place, pid: None, manifest }, from)
    }

    fn check(&mut self, digest: &Digest) -> Result<(), Trouble> {
        self.checks.push(*digest);
        Ok(())
    }

    fn fetch(&self, _: &Digest) -> Result<Box<dyn Read>, Trouble> {
        Err(Trouble::new("nothing is brought back while a step is only looked at"))
    }
}
