//! The keeper as the host's end knows it: at the other end of the line.

use super::coming::Coming;
use super::frames::MOST_BYTES;
use super::pieces::{self, Pieces};
use super::wire::{Heard, Wire};
use super::words::{Claim, Order};
use crate::side::{Errand, Keeper};
use calma_act::{Piece, Trouble};
use calma_record::step::{Intent, Manifest};
use calma_record::{Digest, Text};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::rc::Rc;

/// No keeper promises more errands at once.
const MOST_ERRANDS: usize = 4096;

/// The keeper, far away.
pub(super) struct Afar {
    pub(super) wire: Rc<Wire>,
    /// Notes whose arrival was not confirmed yet.
    unconfirmed: Cell<u64>,
    /// Pieces of this run that the keeper has confirmed, read back from its disk.
    confirmed: RefCell<BTreeSet<Digest>>,
    small: RefCell<Pieces>,
}

fn gone(why: impl std::fmt::Display) -> Trouble {
    Trouble::new(format!("the connection to the keeper was lost: {why}"))
}

impl Afar {
    /// The keeper at the other end of this.
    pub(super) fn new(wire: Rc<Wire>) -> Self {
        Self { wire, unconfirmed: Cell::new(0), confirmed: RefCell::default(), small: RefCell::default() }
    }

    /// Lets go of the pieces that are held.
    pub(super) fn forget(&self) {
        self.small.borrow_mut().clear();
    }

    /// The next words. Every note is confirmed by then.
    pub(super) fn order(&self) -> Result<Order, String> {
        match self.wire.hear()? {
            Heard::Words(order) => Ok(order),
            Heard::Bytes(_) => Err("bytes that nobody asked for".to_owned()),
        }
    }

    /// The errands that follow; nothing if they do not.
    pub(super) fn errands(&self, count: usize) -> Option<Vec<Errand>> {
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
        let coming = Coming::of(Rc::clone(&self.wire), *digest);
        let coming = coming.map_err(|error| Trouble::new(error.to_string()))?;
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
