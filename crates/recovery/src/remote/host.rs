//! The host's end: does what the keeper gives leave for, and comes to an end by itself when the keeper is gone.

use super::PREAMBLE;
use super::frames::{MOST_BYTES, MOST_WORDS};
use super::pieces::{self, Pieces};
use super::wire::{Heard, Wire};
use super::words::{Claim, Order, Taking, VERSION};
use crate::side::{Answer, Errand, Here, Keeper, SideError, Stage, answer};
use calma_act::{Piece, Trouble};
use calma_host::{Host as _, Live};
use calma_record::step::{Intent, Manifest, Refusal, Undo};
use calma_record::{Digest, Text};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// A calma whose connection was cut may still be at its last step.
const LAST_STEP: Duration = Duration::from_secs(3);
/// No keeper promises more errands at once.
const MOST_ERRANDS: usize = 4096;

/// Acts on this machine by the word of a keeper at the other end of these two. Returns when the keeper is gone, and nothing
/// is half-done by then. `stop` ends it as well, after the step at hand.
///
/// # Errors
/// When nothing can be written at all.
pub fn serve(
    from: Box<dyn Read + Send>,
    mut to: Box<dyn Write + Send>,
    stop: Arc<AtomicBool>,
) -> io::Result<()> {
    to.write_all(PREAMBLE)?;
    to.flush()?;
    let host = Live::new();
    let wire = Rc::new(Wire::new(from, to, stop));
    let afar = Afar {
        wire: Rc::clone(&wire),
        unconfirmed: Cell::new(0),
        confirmed: RefCell::default(),
        small: Rc::default(),
    };
    let name = host.kernel().map(|kernel| kernel.identity().host).unwrap_or_default();
    let introduced = wire.say(&Claim::Here { version: VERSION, boot: calma_host::ground::boot(), name });
    let mut taken: Option<Here> = None;
    // From here on the end of the connection is the end of the run, and no error.
    if introduced.is_ok() {
        while let Ok(order) = afar.order() {
            if !obey(order, &host, &mut taken, &afar) {
                break;
            }
        }
    }
    Ok(())
}

/// Carries an order out; `false` at the end.
fn obey(order: Order, host: &Live, taken: &mut Option<Here>, afar: &Afar) -> bool {
    let wire = &afar.wire;
    let said = match order {
        Order::Ask(question) => {
            let answered = answer(host, question);
            let short = fits(&Claim::Answer(answered.clone()));
            wire.say(&Claim::Answer(if short { answered } else { Answer::TooMuch }))
        }
        Order::Take => {
            // Its own lock would stand in its way.
            drop(taken.take());
            let (now, answered) = take();
            *taken = now;
            wire.say(&Claim::Taken(answered))
        }
        Order::EvenDatabases => {
            if let Some(here) = taken.as_mut() {
                here.even_databases();
            }
            Ok(())
        }
        Order::Release => {
            drop(taken.take());
            afar.small.borrow_mut().clear();
            Ok(())
        }
        Order::Prepare { steps } => steps.iter().try_for_each(|step| {
            let prepared = match taken.as_ref() {
                Some(here) => here.prepare(step, afar),
                None => Err(Refusal::new("the machine was not taken")),
            };
            wire.say(&Claim::Prepared(bounded(prepared)))
        }),
        Order::Go { count } => match (taken.as_ref(), afar.errands(count)) {
            (Some(here), Some(errands)) => wire.say(&Claim::Gone(go(here, errands, afar))),
            (None, Some(_)) => wire.say(&Claim::Gone(Some("the machine was not taken".to_owned()))),
            (_, None) => Err("it did not send the errands".to_owned()),
        },
        _ => {
            drop(wire.say(&Claim::Confused));
            return false;
        }
    };
    said.is_ok()
}

/// Takes the machine. One that was cut off a moment ago comes to its end first.
fn take() -> (Option<Here>, Taking) {
    let until = Instant::now() + LAST_STEP;
    loop {
        match Here::take(Vec::new()) {
            Ok(here) => return (Some(here), Taking::Taken),
            Err(SideError::NotAlone) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(50))
            }
            Err(SideError::NotAlone) => return (None, Taking::NotAlone),
            Err(error) => return (None, Taking::Refused(error.to_string())),
        }
    }
}

/// Goes errands; a reason, if they were not gone.
fn go(here: &Here, errands: Vec<Errand>, afar: &Afar) -> Option<String> {
    let gone = here.go(errands, afar, &mut |stage| {
        let claim = match stage {
            Stage::Begins(id) => Claim::Begins(id),
            Stage::Ended(report) => Claim::Ended(report),
        };
        // A keeper that is gone finds out from the journal.
        drop(afar.wire.say(&claim));
    });
    gone.err().map(|error| error.to_string())
}

/// A step that could be done, but not written down, is not done.
fn bounded(prepared: Result<Undo, Refusal>) -> Result<Undo, Refusal> {
    match prepared {
        Ok(undo) if !fits(&undo) => Err(Refusal::new("what taking it back needs is too much to be sent")
            .instead("run calma on the server itself for this step")),
        other => other,
    }
}

/// Whether words with this in them stay within a frame.
fn fits(words: &impl Serialize) -> bool {
    serde_json::to_vec(words).is_ok_and(|bytes| bytes.len() < MOST_WORDS - (64 << 10))
}

/// The keeper, far away.
struct Afar {
    wire: Rc<Wire>,
    /// Notes whose arrival was not confirmed yet.
    unconfirmed: Cell<u64>,
    /// Pieces of this run that the keeper has confirmed.
    confirmed: RefCell<BTreeSet<Digest>>,
    small: Rc<RefCell<Pieces>>,
}

fn gone(why: impl std::fmt::Display) -> Trouble {
    Trouble::new(format!("the connection to the keeper was lost: {why}"))
}

impl Afar {
    /// The next words. Every note is confirmed by then.
    fn order(&self) -> Result<Order, String> {
        match self.wire.hear()? {
            Heard::Words(order) => Ok(order),
            Heard::Bytes(_) => Err("bytes that nobody asked for".to_owned()),
        }
    }

    /// The errands that follow; nothing if they do not.
    fn errands(&self, count: usize) -> Option<Vec<Errand>> {
        let mut errands = Vec::new();
        for _ in 0..Some(count).filter(|count| *count <= MOST_ERRANDS)? {
            match self.order() {
                Ok(Order::Errand(errand)) => errands.push(*errand),
                _ => return None,
            }
        }
        Some(errands)
    }

    /// Sends everything `from` gives; its digest, and the bytes if they are few. Stops early when the keeper says something:
    /// it can only be that it does not take them.
    fn send(&self, from: &mut dyn Read) -> Result<(Piece, Option<Vec<u8>>), Option<Trouble>> {
        let (mut hasher, mut size, mut small) = (Sha256::new(), 0_u64, Some(Vec::new()));
        let mut buffer = vec![0; MOST_BYTES];
        loop {
            let n = match from.read(&mut buffer) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Some(Trouble::new(format!("it can not be read: {error}")))),
            };
            let bytes = buffer.get(..n).unwrap_or_default();
            if n == 0 {
                return Ok((Piece { digest: Digest(hasher.finalize().into()), size }, small));
            }
            hasher.update(bytes);
            size += n as u64;
            match small.as_mut().filter(|small| small.len() + n <= pieces::LARGEST) {
                Some(small) => small.extend_from_slice(bytes),
                None => small = None,
            }
            self.wire.give(bytes).map_err(|why| Some(gone(why)))?;
            if self.wire.has_word() {
                return Err(None);
            }
        }
    }

    /// Has the keeper keep everything `from` gives, as what this claim says.
    fn give(&self, what: &Claim, from: &mut dyn Read) -> Result<Piece, Trouble> {
        self.certain()?;
        self.wire.say(what).map_err(gone)?;
        let sent = self.send(from);
        let claim = sent.as_ref().map_or(Claim::NotKept, |(piece, _)| Claim::Kept(*piece));
        self.wire.say(&claim).map_err(gone)?;
        match (self.order().map_err(gone)?, sent) {
            (Order::Kept(kept), Ok((piece, small))) if kept == piece => {
                self.confirmed.borrow_mut().insert(piece.digest);
                if let Some(small) = small {
                    self.small.borrow_mut().hold(piece.digest, small);
                }
                Ok(piece)
            }
            (_, Err(Some(trouble))) => Err(trouble),
            (Order::Sorry(why), _) => Err(Trouble::new(why)),
            _ => Err(Trouble::new("the keeper stored other bytes than were sent")),
        }
    }
}

impl Keeper for Afar {
    fn keep(
        &self,
        what: &str,
        place: &Text,
        pid: Option<u32>,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        let (what, place) = (what.to_owned(), place.clone());
        self.give(&Claim::Keep { what, place, pid, manifest: None }, from)
    }

    fn keep_away(
        &self,
        what: &str,
        place: &Text,
        manifest: &Manifest,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        let (what, place, manifest) = (what.to_owned(), place.clone(), Some(Box::new(manifest.clone())));
        self.give(&Claim::Keep { what, place, pid: None, manifest }, from)
    }

    fn check(&self, digest: &Digest) -> Result<(), Trouble> {
        if self.confirmed.borrow().contains(digest) {
            return Ok(());
        }
        self.certain()?;
        self.wire.say(&Claim::Check(*digest)).map_err(gone)?;
        match self.order().map_err(gone)? {
            Order::Checked => Ok(()),
            Order::Sorry(why) => Err(Trouble::new(why)),
            _ => Err(Trouble::new("the keeper does not answer what it was asked")),
        }
    }

    fn fetch(&self, digest: &Digest) -> Result<Box<dyn Read>, Trouble> {
        if let Some(bytes) = self.small.borrow().get(digest) {
            return Ok(Box::new(io::Cursor::new(bytes.to_vec())));
        }
        self.certain()?;
        let mut coming = Coming {
            wire: Rc::clone(&self.wire),
            digest: *digest,
            hasher: Sha256::new(),
            offset: 0,
            bytes: Vec::new(),
            given: 0,
            last: false,
        };
        coming.more().map_err(|error| Trouble::new(error.to_string()))?;
        Ok(Box::new(coming))
    }

    fn promise(&self, intents: &[Intent]) -> Result<(), Trouble> {
        // The leave to go says that they are on the keeper's disk; without it this is never asked.
        if intents.is_empty() { Err(Trouble::new("nothing was promised")) } else { Ok(()) }
    }

    fn note(&self, id: u64, note: &Value, lasting: bool) -> Result<(), Trouble> {
        self.wire.say(&Claim::Note { id, note: note.clone() }).map_err(gone)?;
        self.unconfirmed.set(self.unconfirmed.get() + 1);
        if lasting { self.certain() } else { Ok(()) }
    }

    fn certain(&self) -> Result<(), Trouble> {
        while self.unconfirmed.get() > 0 {
            match self.wire.hear().map_err(gone)? {
                Heard::Words(Order::Noted) => self.unconfirmed.set(self.unconfirmed.get() - 1),
                Heard::Words(Order::Sorry(why)) => {
                    self.unconfirmed.set(self.unconfirmed.get() - 1);
                    return Err(Trouble::new(why));
                }
                _ => return Err(Trouble::new("the keeper does not answer what it was asked")),
            }
        }
        Ok(())
    }

    fn is_lost(&self) -> bool {
        self.wire.lost().is_some()
    }
}

/// A piece on its way here. Its last read fails when the bytes were not those of its digest.
struct Coming {
    wire: Rc<Wire>,
    digest: Digest,
    hasher: Sha256,
    offset: u64,
    bytes: Vec<u8>,
    given: usize,
    last: bool,
}

impl Coming {
    /// Asks for the next bytes; all of them come before anything else is said.
    fn more(&mut self) -> io::Result<()> {
        let broken = |why: &str| io::Error::other(why.to_owned());
        self.wire
            .say(&Claim::Fetch { digest: self.digest, offset: self.offset })
            .map_err(io::Error::other)?;
        let length = match self.wire.hear().map_err(io::Error::other)? {
            Heard::Words(Order::Fetched { length, last }) => {
                self.last = last;
                usize::try_from(length).ok().filter(|length| *length <= super::keeper::AT_ONCE)
            }
            Heard::Words(Order::Sorry(why)) => return Err(io::Error::other(why)),
            _ => None,
        };
        let length = length.ok_or_else(|| broken("the keeper does not answer what it was asked"))?;
        (self.bytes, self.given) = (Vec::with_capacity(length), 0);
        while self.bytes.len() < length {
            match self.wire.hear::<Order>().map_err(io::Error::other)? {
                Heard::Bytes(bytes) if self.bytes.len() + bytes.len() <= length => self.bytes.extend(bytes),
                _ => return Err(broken("the keeper does not answer what it was asked")),
            }
        }
        self.offset += length as u64;
        self.hasher.update(&self.bytes);
        if self.last && Digest(self.hasher.clone().finalize().into()) != self.digest {
            return Err(broken("the keeper sent other bytes than were kept"));
        }
        Ok(())
    }
}

impl Read for Coming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given >= self.bytes.len() {
            if self.last {
                return Ok(0);
            }
            self.more()?;
        }
        let rest = self.bytes.get(self.given..).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.given += n;
        Ok(n)
    }
}
