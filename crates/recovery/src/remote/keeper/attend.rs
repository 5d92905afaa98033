//! What the other end asks of the keeper while it works: to keep bytes, and to give them back.

use super::bounds::{clean, short};
use super::{AT_ONCE, RemoteSide};
use crate::remote::frames::MOST_BYTES;
use crate::remote::wire::{Heard, Wire};
use crate::remote::words::{Claim, Order};
use crate::side::{Keeper, SideError};
use calma_act::{Piece, Trouble};
use calma_record::Digest;
use std::collections::BTreeSet;
use std::io::{self, Read};

/// A piece that is being read for the other end, and how far.
struct Open {
    digest: Digest,
    offset: u64,
    from: Box<dyn Read>,
}

impl RemoteSide {
    /// Does what the other end asks for until `on` says that it is over. Only pieces that came in this run, or that
    /// `allowed` names, are given back.
    pub(super) fn attend(
        &self,
        keeper: &dyn Keeper,
        allowed: &BTreeSet<Digest>,
        mut on: impl FnMut(Claim) -> Result<bool, SideError>,
    ) -> Result<(), SideError> {
        let mut open: Option<Open> = None;
        let may = |digest: &Digest| allowed.contains(digest) || self.came.borrow().contains(digest);
        loop {
            match self.hear()? {
                Claim::Keep { what, place, pid, manifest } => {
                    let (what, place) = (clean(&what), short(&place));
                    self.keep(keeper, |arriving| match &manifest {
                        Some(manifest) => keeper.keep_away(&what, &place, manifest, arriving),
                        None => keeper.keep(&what, &place, pid, arriving),
                    })?;
                }
                Claim::Check(digest) if may(&digest) => self.say(&match keeper.check(&digest) {
                    Ok(()) => Order::Checked,
                    Err(trouble) => Order::Sorry(trouble.0),
                })?,
                Claim::Fetch { digest, offset } if may(&digest) => {
                    self.give_back(keeper, &mut open, digest, offset)?;
                }
                Claim::Check(_) | Claim::Fetch { .. } => {
                    return Err(SideError::Lies("it asked for evidence that no step of it needs"));
                }
                other => {
                    if on(other)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Keeps what comes, has it read back before anything rests on it, and says what it is.
    fn keep(
        &self,
        keeper: &dyn Keeper,
        store: impl FnOnce(&mut Arriving<'_>) -> Result<Piece, Trouble>,
    ) -> Result<(), SideError> {
        let mut arriving =
            Arriving { wire: &self.wire, bytes: Vec::new(), given: 0, claimed: None, over: false };
        let kept = store(&mut arriving);
        let kept = kept.and_then(|piece| keeper.check(&piece.digest).map(|()| piece));
        let early = !arriving.over;
        let answer = match kept {
            Ok(piece) if arriving.claimed == Some(piece) => {
                self.came.borrow_mut().insert(piece.digest);
                Order::Kept(piece)
            }
            Ok(_) => Order::Sorry("other bytes arrived than were sent".to_owned()),
            Err(Trouble(why)) => Order::Sorry(why),
        };
        if !early {
            return self.say(&answer);
        }
        // It stops sending when it hears this; what is on its way until then is let go.
        self.say(&answer)?;
        while !arriving.over {
            arriving.next().map_err(|why| self.lost(&why.to_string()))?;
        }
        Ok(())
    }

    /// Sends the next bytes of a piece.
    fn give_back(
        &self,
        keeper: &dyn Keeper,
        open: &mut Option<Open>,
        digest: Digest,
        offset: u64,
    ) -> Result<(), SideError> {
        let going_on = open.take().filter(|open| open.digest == digest && open.offset == offset);
        let mut from = match going_on {
            Some(open) => open.from,
            None if offset == 0 => match keeper.fetch(&digest) {
                Ok(from) => from,
                Err(trouble) => return self.say(&Order::Sorry(trouble.0)),
            },
            None => return Err(SideError::Lies("it asked for the middle of a piece")),
        };
        let mut bytes = Vec::new();
        // One read more than there is room for tells whether that was all, and whether the piece is what it was.
        if let Err(error) = (&mut from).take(AT_ONCE as u64).read_to_end(&mut bytes) {
            return self.say(&Order::Sorry(error.to_string()));
        }
        let last = bytes.len() < AT_ONCE;
        self.say(&Order::Fetched { length: bytes.len() as u64, last })?;
        for part in bytes.chunks(MOST_BYTES) {
            self.wire.give(part).map_err(|why| self.lost(&why))?;
        }
        *open = Some(Open { digest, offset: offset + bytes.len() as u64, from }).filter(|_| !last);
        Ok(())
    }
}

/// Bytes of a piece as they come.
struct Arriving<'a> {
    wire: &'a Wire,
    bytes: Vec<u8>,
    given: usize,
    /// What the other end says that it sent.
    claimed: Option<Piece>,
    over: bool,
}

impl Arriving<'_> {
    fn next(&mut self) -> io::Result<()> {
        (self.bytes, self.given) = (Vec::new(), 0);
        match self.wire.hear().map_err(io::Error::other)? {
            Heard::Bytes(bytes) => self.bytes = bytes,
            Heard::Words(Claim::Kept(piece)) => (self.claimed, self.over) = (Some(piece), true),
            Heard::Words(Claim::NotKept) => self.over = true,
            Heard::Words(_) => return Err(io::Error::other("it said something else than bytes")),
        }
        Ok(())
    }
}

impl Read for Arriving<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given >= self.bytes.len() {
            if self.over && self.claimed.is_none() {
                return Err(io::Error::other("it could not be read to its end"));
            }
            if self.over {
                return Ok(0);
            }
            self.next()?;
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
