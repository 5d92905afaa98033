//! Many steps are looked at on a thread of their own, while the first one stores what that gives. Whichever has the time
//! compresses it.

mod arriving;
mod handing;

use super::{AsVault, Keeper};
use arriving::{Arriving, Words};
use calma_act::{Piece, Trouble, Vault};
use calma_record::step::{Manifest, Refusal, Step, Undo};
use calma_record::{Digest, Text};
use handing::Handing;
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

/// So few steps are not worth a thread.
const FEW: usize = 8;
/// So many groups of words are on their way at most.
const WAITING: usize = 2;

/// What the thread that looks says to the one that stores.
enum Word {
    /// A piece that goes in one part.
    Whole(About, Piece, Part),
    /// A larger piece begins.
    Piece(About),
    /// A part of it.
    Bytes(Part),
    /// It can not be read any further.
    Broken(io::Error),
    /// It is whole, and this is what was read.
    End(Piece),
    /// What became of a step, and the pieces that are to be read again from the disk for it.
    Prepared(Result<Undo, Refusal>, Vec<Digest>),
}

/// Bytes on their way. The space for them goes back and forth.
#[derive(Default)]
struct Part {
    buffer: Vec<u8>,
    length: usize,
    /// The same, compressed, if there was time for it.
    packed: Vec<u8>,
}

impl Part {
    fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }
}

/// Space that was used and can be filled again.
#[derive(Default)]
struct Used(Mutex<Vec<Part>>);

impl Used {
    fn put(&self, part: Part) {
        if let Ok(mut parts) = self.0.lock() {
            parts.push(part);
        }
    }

    fn get(&self) -> Part {
        self.0.lock().ok().and_then(|mut parts| parts.pop()).unwrap_or_default()
    }
}

/// What a piece is; the manifest of a file that is taken off the system.
struct About {
    what: String,
    place: Text,
    pid: Option<u32>,
    manifest: Option<Box<Manifest>>,
}

impl About {
    fn keep(&self, keeper: &dyn Keeper, from: &mut dyn Read) -> Result<Piece, Trouble> {
        match &self.manifest {
            Some(manifest) => keeper.keep_away(&self.what, &self.place, manifest, from),
            None => keeper.keep(&self.what, &self.place, self.pid, from),
        }
    }
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
    let (used, waiting, packs) = (Used::default(), AtomicUsize::new(0), !keeper.sends_away());
    std::thread::scope(|scope| {
        let (to, from) = sync_channel(WAITING);
        let (used, waiting) = (&used, &waiting);
        let looker = std::thread::Builder::new().spawn_scoped(scope, move || {
            let mut vault = Handing::new(to, used, packs.then_some(waiting));
            // It ends early where nobody stores any more.
            let _ = steps.iter().try_for_each(|step| {
                let prepared = look(step, &mut vault);
                vault.prepared(prepared)
            });
            vault.flush()
        });
        let Ok(looker) = looker else { return here() };
        let mut words = Words::new(from);
        let mut prepared = receive(&mut words, used, keeper, waiting);
        drop(words);
        let _ = looker.join();
        let lost = || Err(Refusal::new("looking at it came to no end"));
        prepared.resize_with(steps.len(), lost);
        prepared
    })
}

/// Stores what comes; what became of each step.
fn receive(
    words: &mut Words,
    used: &Used,
    keeper: &dyn Keeper,
    waiting: &AtomicUsize,
) -> Vec<Result<Undo, Refusal>> {
    let (mut prepared, mut failed) = (Vec::new(), None);
    while let Some(word) = words.next() {
        match word {
            Word::Whole(about, piece, part) => {
                let kept = match keeper.sends_away() {
                    true => about.keep(keeper, &mut part.bytes()).map(drop),
                    false => {
                        waiting.fetch_sub(1, Ordering::Relaxed);
                        let whole = (part.bytes(), &piece);
                        keeper.keep_whole(&about.what, &about.place, about.pid, whole, &part.packed)
                    }
                };
                failed = failed.or(kept.err());
                used.put(part);
            }
            Word::Piece(about) => {
                let mut from = Arriving::new(words, used);
                let kept = about.keep(keeper, &mut from);
                let read = from.end();
                let kept = kept.and_then(|kept| match read {
                    Some(read) if read == kept => Ok(()),
                    _ => Err(Trouble::new("what was stored is not what was read")),
                });
                failed = failed.or(kept.err());
            }
            Word::Prepared(result, checks) => {
                let stored = failed.take().map_or(Ok(()), Err);
                let checked = stored.and_then(|()| checks.iter().try_for_each(|digest| keeper.check(digest)));
                prepared.push(checked.map_err(Refusal::from).and(result));
            }
            Word::Bytes(_) | Word::Broken(_) | Word::End(_) => {}
        }
    }
    prepared
}
