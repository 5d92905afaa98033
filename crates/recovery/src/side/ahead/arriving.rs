//! What the thread that looks says, as the one that stores hears it.

use super::{Part, Used, Word};
use calma_act::Piece;
use std::io::{self, Read};
use std::sync::mpsc::Receiver;

/// Words, one after another.
pub(super) struct Words {
    from: Receiver<Vec<Word>>,
    group: std::vec::IntoIter<Word>,
}

impl Words {
    /// Those that come here.
    pub(super) fn new(from: Receiver<Vec<Word>>) -> Self {
        Self { from, group: Vec::new().into_iter() }
    }

    /// The next one; none when the other thread has ended.
    pub(super) fn next(&mut self) -> Option<Word> {
        loop {
            if let Some(word) = self.group.next() {
                return Some(word);
            }
            self.group = self.from.recv().ok()?.into_iter();
        }
    }
}

/// The bytes of a piece of several parts as they come.
pub(super) struct Arriving<'a> {
    words: &'a mut Words,
    used: &'a Used,
    part: Part,
    at: usize,
    /// How it ended.
    end: Option<Option<Piece>>,
}

impl<'a> Arriving<'a> {
    /// The piece that began; parts that were read go back.
    pub(super) fn new(words: &'a mut Words, used: &'a Used) -> Self {
        Self { words, used, part: Part::default(), at: 0, end: None }
    }

    /// Lets what is left go by; what was read in all, if that came to its end.
    pub(super) fn end(mut self) -> Option<Piece> {
        while self.end.is_none() {
            // A piece that broke off has an end too.
            let _ = self.next();
        }
        self.give_back(Part::default());
        self.end.flatten()
    }

    /// Has a part that was read filled again, with the next one in its place.
    fn give_back(&mut self, next: Part) {
        self.at = 0;
        let before = std::mem::replace(&mut self.part, next);
        if !before.buffer.is_empty() {
            self.used.put(before);
        }
    }

    /// Waits for the next part.
    fn next(&mut self) -> io::Result<()> {
        let (end, done) = match self.words.next() {
            Some(Word::Bytes(part)) => {
                self.give_back(part);
                return Ok(());
            }
            Some(Word::End(piece)) => (Some(piece), Ok(())),
            Some(Word::Broken(error)) => (None, Err(error)),
            _ => (None, Err(io::ErrorKind::UnexpectedEof.into())),
        };
        self.end = Some(end);
        done
    }
}

impl Read for Arriving<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.part.length && self.end.is_none() {
            self.next()?;
        }
        let mut left = self.part.bytes().get(self.at..).unwrap_or_default();
        let n = left.read(buffer)?;
        self.at += n;
        Ok(n)
    }
}
