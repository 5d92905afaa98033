//! A piece of the keeper's, on its way to the host's end.

use super::wire::{Heard, Wire};
use super::words::{Claim, Order};
use calma_record::Digest;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use std::rc::Rc;

/// A piece on its way here. Its last read fails when the bytes were not those of its digest.
pub(super) struct Coming {
    wire: Rc<Wire>,
    digest: Digest,
    hasher: Sha256,
    offset: u64,
    bytes: Vec<u8>,
    given: usize,
    last: bool,
}

impl Coming {
    /// Asks for a piece; its first bytes are here when this returns.
    pub(super) fn of(wire: Rc<Wire>, digest: Digest) -> io::Result<Self> {
        let mut coming =
            Self { wire, digest, hasher: Sha256::new(), offset: 0, bytes: Vec::new(), given: 0, last: false };
        coming.more()?;
        Ok(coming)
    }

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
