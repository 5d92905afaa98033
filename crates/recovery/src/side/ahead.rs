//! Many steps are looked at on a thread of their own, while the first one stores what that gives: either takes about as long.

use super::{AsVault, Keeper};
use calma_act::{Piece, Trouble, Vault};
use calma_record::step::{Manifest, Refusal, Step, Undo};
use calma_record::{Digest, Text};
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// So few steps are not worth a thread.
const FEW: usize = 8;
/// So many words are on their way at most.
const WAITING: usize = 64;
/// Bytes go in parts of this size.
const PART: usize = 64 << 10;

/// What the thread that looks says to the one that stores.
enum Word {
    /// A piece begins; the manifest of a file that is taken off the system.
    Piece { what: String, place: Text, pid: Option<u32>, manifest: Option<Box<Manifest>> },
    /// So many bytes of it, the first ones of this buffer.
    Bytes(Vec<u8>, usize),
    /// It can not be read any further.
    Broken(io::Error),
    /// It is whole, and this is what was read.
    End(Piece),
    /// A piece is to be read again from the disk.
    Check(Digest),
    /// What became of a step.
    Prepared(Result<Undo, Refusal>),
}

/// Prepares steps in their order.
pub(super) fn prepare(
    steps: &[&Step],
    keeper: &dyn Keeper,
    look: &(impl Fn(&Step, &mut dyn Vault) -> Result<Undo, Refusal> + Sync),
) -> Vec<Result<Undo, Refusal>> {
    let here = || steps.iter().map(|step| look(step, &mut AsVault(keeper))).collect();
    if steps.len() <= FEW {
        return here();
    }
    std::thread::scope(|scope| {
        let (to, words) = sync_channel(WAITING);
        let (used, empty) = channel();
        let looker = std::thread::Builder::new().spawn_scoped(scope, move || {
            let mut vault = Handing { to, empty, spare: Vec::new() };
            for step in steps {
                let prepared = look(step, &mut vault);
                if vault.to.send(Word::Prepared(prepared)).is_err() {
                    return;
                }
            }
        });
        let Ok(looker) = looker else { return here() };
        let mut prepared = receive(&words, &used, keeper);
        drop(words);
        let _ = looker.join();
        let lost = || Err(Refusal::new("looking at it came to no end"));
        prepared.resize_with(steps.len(), lost);
        prepared
    })
}

/// Stores what comes; what became of each step.
fn receive(
    words: &Receiver<Word>,
    used: &Sender<Vec<u8>>,
    keeper: &dyn Keeper,
) -> Vec<Result<Undo, Refusal>> {
    let (mut prepared, mut failed) = (Vec::new(), None);
    while let Ok(word) = words.recv() {
        match word {
            Word::Piece { what, place, pid, manifest } => {
                let mut from = Arriving { words, used, part: Vec::new(), at: 0, length: 0, end: None };
                let kept = match manifest {
                    Some(manifest) => keeper.keep_away(&what, &place, &manifest, &mut from),
                    None => keeper.keep(&what, &place, pid, &mut from),
                };
                let read = from.end();
                let kept = kept.and_then(|kept| match read {
                    Some(read) if read == kept => Ok(()),
                    _ => Err(Trouble::new("what was stored is not what was read")),
                });
                failed = failed.or(kept.err());
            }
            Word::Check(digest) if failed.is_none() => failed = keeper.check(&digest).err(),
            Word::Prepared(result) => prepared.push(match failed.take() {
                Some(trouble) => Err(trouble.into()),
                None => result,
            }),
            Word::Check(_) | Word::Bytes(..) | Word::Broken(_) | Word::End(_) => {}
        }
    }
    prepared
}

/// The vault of the thread that looks.
struct Handing {
    to: SyncSender<Word>,
    /// Buffers that were used and can be filled again.
    empty: Receiver<Vec<u8>>,
    /// The one that is filled next.
    spare: Vec<u8>,
}

impl Handing {
    fn say(&self, word: Word) -> Result<(), Trouble> {
        self.to.send(word).map_err(|_| Trouble::new("nobody stores it"))
    }

    fn give(&mut self, begin: Word, from: &mut dyn Read) -> Result<Piece, Trouble> {
        self.say(begin)?;
        let (mut hasher, mut size) = (Sha256::new(), 0);
        loop {
            if self.spare.is_empty() {
                self.spare = self.empty.try_recv().unwrap_or_else(|_| vec![0; PART]);
            }
            match from.read(&mut self.spare) {
                Ok(0) => break,
                Ok(n) => {
                    hasher.update(self.spare.get(..n).unwrap_or_default());
                    size += n as u64;
                    let part = std::mem::take(&mut self.spare);
                    self.say(Word::Bytes(part, n))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let trouble = Trouble::new(format!("it can not be read: {error}"));
                    self.say(Word::Broken(error))?;
                    return Err(trouble);
                }
            }
        }
        let piece = Piece { digest: Digest(hasher.finalize().into()), size };
        self.say(Word::End(piece))?;
        Ok(piece)
    }
}

impl Vault for Handing {
    fn keep(
        &mut self,
        what: &str,
        place: &Text,
        pid: Option<u32>,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        let (what, place) = (what.to_owned(), place.clone());
        self.give(Word::Piece { what, place, pid, manifest: None }, from)
    }

    fn keep_away(
        &mut self,
        what: &str,
        place: &Text,
        manifest: &Manifest,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        let (what, place, manifest) = (what.to_owned(), place.clone(), Some(Box::new(manifest.clone())));
        self.give(Word::Piece { what, place, pid: None, manifest }, from)
    }

    fn check(&mut self, digest: &Digest) -> Result<(), Trouble> {
        self.say(Word::Check(*digest))
    }

    fn fetch(&self, _: &Digest) -> Result<Box<dyn Read>, Trouble> {
        Err(Trouble::new("nothing is brought back while a step is only looked at"))
    }
}

/// The bytes of a piece as they come.
struct Arriving<'a> {
    words: &'a Receiver<Word>,
    used: &'a Sender<Vec<u8>>,
    part: Vec<u8>,
    at: usize,
    length: usize,
    /// How it ended.
    end: Option<Option<Piece>>,
}

impl Arriving<'_> {
    /// Lets what is left go by; what was read in all, if that came to its end.
    fn end(mut self) -> Option<Piece> {
        while self.end.is_none() {
            // A piece that broke off has an end too.
            let _ = self.next();
        }
        self.end.take().flatten()
    }

    /// Has a part that was used filled again, with the next one in its place.
    fn give_back(&mut self, next: Vec<u8>) {
        let before = std::mem::replace(&mut self.part, next);
        if !before.is_empty() {
            // Nobody fills it when the other thread has ended.
            let _ = self.used.send(before);
        }
    }

    /// Waits for the next part.
    fn next(&mut self) -> io::Result<()> {
        match self.words.recv() {
            Ok(Word::Bytes(part, length)) => {
                self.give_back(part);
                (self.at, self.length) = (0, length);
                Ok(())
            }
            Ok(Word::End(piece)) => {
                self.end = Some(Some(piece));
                Ok(())
            }
            Ok(Word::Broken(error)) => {
                self.end = Some(None);
                Err(error)
            }
            Ok(_) | Err(_) => {
                self.end = Some(None);
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
    }
}

impl Read for Arriving<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.length && self.end.is_none() {
            self.next()?;
        }
        let mut left = self.part.get(self.at..self.length).unwrap_or_default();
        let n = left.read(buffer)?;
        self.at += n;
        Ok(n)
    }
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        self.give_back(Vec::new());
    }
}
