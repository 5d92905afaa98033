//! Signs of life of the guard: one datagram a second to a witness outside, which misses them when the guard is gone.
//!
//! | bytes | content |
//! |---|---|
//! | 0..36 | a mark ([`crate::canary::Mark`]) of the kind *beat*; its number is how many came before |
//! | 36..68 | HMAC-SHA-256 (RFC 2104) of these under a key that the witness knows |
//!
//! They leave by a way of their own, from one port of this host to one port of the witness. What else is sent that way carries no
//! right code, and the witness counts it as what got out. Whoever is root on the host can read the key from the guard and go
//! on in its place: what the signs say is *not ended by accident or by force without that*, not more.

use crate::canary::{CanaryKind, MARK, Mark, PORT};
use calma_host::wire::nonce;
use calma_record::Timestamp;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::Sha256;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// The port of this host that they come from.
pub const FROM: u16 = 20_921;
/// Time between two, in milliseconds.
pub const EVERY: u64 = 1_000;
/// Length of one.
const LENGTH: usize = MARK + 32;
/// Length of a header of UDP (RFC 768).
const HEADER: usize = 8;

/// What the guard and the witness both know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 16]);

/// Why a word is no witness to be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoBeat {
    /// The key is none.
    #[error("a key has 32 hexadecimal digits: take it from the screen of calma witness")]
    Key,
    /// The form is another.
    #[error("give ADDR/KEY, as calma witness shows it")]
    Form,
}

impl Key {
    /// A new one; `None` where the kernel has no random numbers.
    pub fn new() -> Option<Self> {
        nonce().ok().map(Self)
    }

    /// What makes and checks the code of a message (RFC 2104).
    fn code(self, message: &[u8]) -> Hmac<Sha256> {
        // A key is filled up with zeros to the length of a block.
        let mut block = [0; 64];
        block.iter_mut().zip(self.0).for_each(|(byte, key)| *byte = key);
        let mut code = Hmac::new(&block.into());
        code.update(message);
        code
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
}

impl FromStr for Key {
    type Err = NoBeat;

    fn from_str(text: &str) -> Result<Self, NoBeat> {
        let number =
            u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32 && !text.starts_with('+'));
        number.map(|number| Self(number.to_be_bytes())).ok_or(NoBeat::Key)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Who is told that the guard lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// The witness.
    pub to: IpAddr,
    /// What both know.
    pub key: Key,
}

impl FromStr for Beat {
    type Err = NoBeat;

    /// `ADDR/KEY`.
    fn from_str(word: &str) -> Result<Self, NoBeat> {
        let (to, key) = word.split_once('/').ok_or(NoBeat::Form)?;
        let to: IpAddr = to.parse().map_err(|_| NoBeat::Form)?;
        Ok(Self { to: to.to_canonical(), key: key.parse()? })
    }
}

/// The guard's heart.
pub(crate) struct Heart {
    beat: Beat,
    socket: UdpSocket,
    count: u64,
    last: Option<u64>,
}

impl Heart {
    /// Takes the port they come from.
    ///
    /// # Errors
    /// When somebody has it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one datagram that an isolated host may send by itself"
    )]
    pub(crate) fn new(beat: Beat) -> io::Result<Self> {
        let any: IpAddr =
            if beat.to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind(SocketAddr::new(any, FROM))?;
        socket.set_nonblocking(true)?;
        Ok(Self { beat, socket, count: 0, last: None })
    }

    /// Beats when it is time; `since_boot` in milliseconds, `now` by the clock that people set.
    pub(crate) fn beat(&mut self, since_boot: u64, now: Timestamp) {
        if self.last.is_some_and(|last| since_boot.saturating_sub(last) < EVERY) {
            return;
        }
        self.last = Some(since_boot);
        self.count += 1;
        // One that gets lost is missed outside, which is its purpose.
        let to = SocketAddr::new(self.beat.to, PORT);
        drop(self.socket.send_to(&bytes(self.beat.key, self.count, now), to));
    }
}

fn bytes(key: Key, count: u64, now: Timestamp) -> Vec<u8> {
    let mut number = [0; 16];
    number.iter_mut().zip(count.to_be_bytes()).for_each(|(byte, digit)| *byte = digit);
    let mut bytes = Mark::new(CanaryKind::Beat, number, now).bytes();
    let code = key.code(&bytes);
    bytes.extend(code.finalize().into_bytes());
    bytes
}

/// The witness's ear for them.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// What both know; without it nothing is a sign of life.
    pub(crate) key: Option<Key>,
    /// The highest number that came.
    last: AtomicU64,
}

impl Pulse {
    pub(crate) fn new(key: Option<Key>) -> Self {
        Self { key, last: AtomicU64::new(0) }
    }

    /// Whether these bytes, a datagram with or without its header, are a sign of life that has not come before.
    pub(crate) fn is_beat(&self, bytes: &[u8]) -> bool {
        let Some(key) = self.key else { return false };
        let payload = match bytes.len().checked_sub(LENGTH) {
            Some(0) => bytes,
            Some(HEADER) => bytes.get(HEADER..).unwrap_or_default(),
            _ => return false,
        };
        let Some((mark, code)) = payload.split_at_checked(MARK) else { return false };
        let Some(read) = Mark::find(mark).filter(|read| read.kind() == Some(CanaryKind::Beat)) else {
            return false;
        };
        let count = read.nonce.first_chunk::<8>().map_or(0, |digits| u64::from_be_bytes(*digits));
        key.code(mark).verify_slice(code).is_ok() && self.last.fetch_max(count, Ordering::Relaxed) < count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_carries_the_right_code_and_comes_for_the_first_time_is_a_sign_of_life() {
        let key: Key = "000102030405060708090a0b0c0d0e0f".parse().unwrap();
        let other = Key([7; 16]);
        let pulse = Pulse::new(Some(key));
        let at = Timestamp::new(1_795_000_000, 0);
        let one = bytes(key, 1, at);
        assert_eq!(one.len(), LENGTH);
        let behind_header = [[0; HEADER].as_slice(), &bytes(key, 2, at)].concat();
        assert!(pulse.is_beat(&one) && pulse.is_beat(&behind_header));
        // Again, with another key, with something behind it, with a bit turned.
        assert!(!pulse.is_beat(&one) && !pulse.is_beat(&bytes(other, 3, at)));
        assert!(!pulse.is_beat(&[bytes(key, 3, at), vec![0]].concat()));
        for place in 0..LENGTH {
            let mut turned = bytes(key, 3, at);
            turned[place] ^= 1;
            assert!(!pulse.is_beat(&turned), "byte {place}");
        }
        assert!(pulse.is_beat(&bytes(key, 3, at)) && !Pulse::new(None).is_beat(&one));
    }

    #[test]
    fn the_code_is_that_of_rfc_2104() {
        // Made with the hmac module of Python.
        let key = Key([0x0b; 16]);
        let expected = "492ce020fe2534a5789dc3848806c78f4f6711397f08e7e7a12ca5a4483c8aa6";
        let code = |message: &[u8]| format!("{:x}", key.code(message).finalize().into_bytes());
        assert_ne!(code(b"Hi There"), code(b"Hi there"));
        assert_eq!(code(b"Hi There"), expected);
    }

    #[test]
    fn a_witness_is_read_as_it_was_shown() {
        let beat: Beat = "192.0.2.9/000102030405060708090a0b0c0d0e0f".parse().unwrap();
        assert_eq!(
            (beat.to, beat.key.to_string().as_str()),
            ("192.0.2.9".parse().unwrap(), "000102030405060708090a0b0c0d0e0f")
        );
        assert_eq!(serde_json::from_value::<Beat>(serde_json::to_value(beat).unwrap()).unwrap(), beat);
        for wrong in [
            "192.0.2.9",
            "192.0.2.9/",
            "192.0.2.9/12",
            "web/000102030405060708090a0b0c0d0e0f",
            "192.0.2.9/+00102030405060708090a0b0c0d0e0f",
        ] {
            assert!(wrong.parse::<Beat>().is_err(), "{wrong}");
        }
    }
}
