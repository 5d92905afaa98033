//! Encryption to a recipient in the age format, version 1, X25519 alone (<https://age-encryption.org/v1>).
//!
//! The format's own library brings sixty more crates; what it does with these primitives fits on a page. The primitives
//! are RustCrypto's and dalek's. `age -d` reads what is written here, and the tests ask it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use curve25519_dalek::MontgomeryPoint;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::io::{self, BufRead, Read, Write};

const VERSION: &str = "age-encryption.org/v1";
const CHUNK: usize = 64 << 10;
/// What an encrypted chunk is longer by.
const TAG: usize = 16;

/// Who can read it: an `age1…` key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

/// The key that reads it: `AGE-SECRET-KEY-1…`.
#[derive(Clone)]
pub struct Identity([u8; 32]);

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(kept secret)")
    }
}

impl Recipient {
    /// Reads a recipient as age writes it; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        bech32(text.trim(), "age").map(Self)
    }
}

impl Identity {
    /// Finds the first identity in a key file of age; `None` if there is none.
    pub fn find(text: &str) -> Option<Self> {
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with("AGE-SECRET-KEY-1"));
        lines
            .filter(|line| !line.chars().any(|c| c.is_ascii_lowercase()))
            .find_map(|line| bech32(&line.to_ascii_lowercase(), "age-secret-key-").map(Self))
    }

    /// Who it belongs to.
    pub fn recipient(&self) -> Recipient {
        Recipient(MontgomeryPoint::mul_base_clamped(self.0).to_bytes())
    }
}

/// The 32 bytes of a Bech32 text (BIP 173) with this prefix.
fn bech32(text: &str, prefix: &str) -> Option<[u8; 32]> {
    const LETTERS: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let data = text.strip_prefix(prefix)?.strip_prefix('1')?;
    let values: Vec<u8> =
        data.chars().map(|c| LETTERS.find(c).and_then(|at| u8::try_from(at).ok())).collect::<Option<_>>()?;
    let high = prefix.bytes().map(|b| b >> 5);
    let low = prefix.bytes().map(|b| b & 31);
    let sum = high.chain([0]).chain(low).chain(values.iter().copied()).fold(1_u32, |sum, value| {
        const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        let top = sum >> 25;
        let next = ((sum & 0x01ff_ffff) << 5) ^ u32::from(value);
        GENERATORS.iter().enumerate().fold(
            next,
            |sum, (bit, generator)| {
                if top >> bit & 1 == 1 { sum ^ generator } else { sum }
            },
        )
    });
    if sum != 1 {
        return None;
    }
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for value in values.get(..values.len().checked_sub(6)?)? {
        held = (held << 5 | u32::from(*value)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    (held & ((1 << bits) - 1) == 0 && bits < 5).then(|| bytes.try_into().ok())?
}

fn derive(key: &[u8], salt: &[u8], info: &str) -> [u8; 32] {
    let mut out = [0; 32];
    // Fails only for outputs of more than 255 blocks.
    let _ = hkdf::Hkdf::<Sha256>::new(Some(salt), key).expand(info.as_bytes(), &mut out);
    out
}

/// The key that wraps the file's key, from a shared secret; `None` for a point of low order.
fn wrapping(shared: MontgomeryPoint, share: &[u8; 32], recipient: &[u8; 32]) -> Option<[u8; 32]> {
    let secret = shared.to_bytes();
    let salt = [share.as_slice(), recipient].concat();
    (secret != [0; 32]).then(|| derive(&secret, &salt, "age-encryption.org/v1/X25519"))
}

fn cipher(key: &[u8; 32]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(Key::from_slice(key))
}

fn header_mac(file_key: &[u8], header: &str) -> io::Result<Hmac<Sha256>> {
    let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(&derive(file_key, &[], "header"))
        .map_err(io::Error::other)?;
    mac.update(header.as_bytes());
    Ok(mac)
}

/// The number of a chunk, with a mark on the last one.
fn chunk_nonce(number: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    if let Some(place) = nonce.get_mut(3..11) {
        place.copy_from_slice(&number.to_be_bytes());
    }
    if let Some(mark) = nonce.last_mut() {
        *mark = u8::from(last);
    }
    nonce
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Encrypts what is written to it. It must be [finished](Sealing::finish).
pub(crate) struct Sealing<W> {
    to: W,
    cipher: ChaCha20Poly1305,
    waiting: Vec<u8>,
    number: u64,
}

impl<W: Write> Sealing<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// When there is no randomness, or it can not be written.
    pub(crate) fn new(mut to: W, recipient: &Recipient) -> io::Result<Self> {
        let mut random = [0; 16 + 32 + 16];
        crate::case::random(&mut random)?;
        let (file_key, rest) = random.split_at(16);
        let (secret, nonce) = rest.split_at(32);
        let secret: [u8; 32] = secret.try_into().map_err(io::Error::other)?;
        let share = MontgomeryPoint::mul_base_clamped(secret).to_bytes();
        let shared = MontgomeryPoint(recipient.0).mul_clamped(secret);
        let wrap = wrapping(shared, &share, &recipient.0).ok_or_else(|| broken("this is no usable key"))?;
        let body = cipher(&wrap)
            .encrypt(Nonce::from_slice(&[0; 12]), file_key)
            .map_err(|_| broken("the key could not be wrapped"))?;
        let header = format!("{VERSION}\n-> X25519 {}\n{}\n---", BASE64.encode(share), BASE64.encode(body));
        let mac = header_mac(file_key, &header)?.finalize().into_bytes();
        to.write_all(format!("{header} {}\n", BASE64.encode(mac)).as_bytes())?;
        to.write_all(nonce)?;
        let cipher = cipher(&derive(file_key, nonce, "payload"));
        Ok(Self { to, cipher, waiting: Vec::with_capacity(CHUNK), number: 0 })
    }

    fn chunk(&mut self, last: bool) -> io::Result<()> {
        let nonce = chunk_nonce(self.number, last);
        let sealed = self.cipher.encrypt(Nonce::from_slice(&nonce), self.waiting.as_slice());
        self.to.write_all(&sealed.map_err(|_| broken("it could not be encrypted"))?)?;
        self.number += 1;
        self.waiting.clear();
        Ok(())
    }

    /// Writes the last chunk and gives back what was written to.
    ///
    /// # Errors
    /// When it can not be written.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.chunk(true)?;
        Ok(self.to)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for the next byte: only then it is known not to be the last.
        if self.waiting.len() == CHUNK && !bytes.is_empty() {
            self.chunk(false)?;
        }
        let n = bytes.len().min(CHUNK - self.waiting.len());
        self.waiting.extend_from_slice(bytes.get(..n).unwrap_or_default());
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decrypts what is read from it.
pub(crate) struct Opening<R> {
    from: R,
    cipher: ChaCha20Poly1305,
    number: u64,
    ready: Vec<u8>,
    given: usize,
    last: bool,
}

impl<R: BufRead> Opening<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When it is no such file, or not for this identity.
    pub(crate) fn new(mut from: R, identity: &Identity) -> io::Result<Self> {
        let mut header = line(&mut from)?;
        if header != VERSION {
            return Err(broken("it is not encrypted in the age format"));
        }
        let own = identity.recipient().0;
        let mut found: Option<Vec<u8>> = None;
        let mac = loop {
            let text = line(&mut from)?;
            if let Some(mac) = text.strip_prefix("--- ") {
                header.push_str("\n---");
                break BASE64.decode(mac).map_err(io::Error::other)?;
            }
            header.push('\n');
            header.push_str(&text);
            let share = text.strip_prefix("-> X25519 ").and_then(|share| BASE64.decode(share).ok());
            let mut body = String::new();
            // A body ends with a line that is not full.
            loop {
                let text = line(&mut from)?;
                header.push('\n');
                header.push_str(&text);
                body.push_str(&text);
                if text.len() < 64 {
                    break;
                }
            }
            let share: Option<[u8; 32]> = share.and_then(|share| share.try_into().ok());
            if let (Some(share), Ok(body)) = (share, BASE64.decode(&body)) {
                let shared = MontgomeryPoint(share).mul_clamped(identity.0);
                let wrap = wrapping(shared, &share, &own);
                let opened = wrap.and_then(|wrap| {
                    cipher(&wrap).decrypt(Nonce::from_slice(&[0; 12]), body.as_slice()).ok()
                });
                found = found.or(opened);
            }
        };
        let file_key = found.ok_or_else(|| broken("it was encrypted to another key"))?;
        header_mac(&file_key, &header)?.verify_slice(&mac).map_err(|_| broken("its header was changed"))?;
        let mut nonce = [0; 16];
        from.read_exact(&mut nonce)?;
        let cipher = cipher(&derive(&file_key, &nonce, "payload"));
        Ok(Self { from, cipher, number: 0, ready: Vec::new(), given: 0, last: false })
    }

    fn next(&mut self) -> io::Result<()> {
        let mut sealed = Vec::new();
        self.from.by_ref().take((CHUNK + TAG) as u64).read_to_end(&mut sealed)?;
        let last = self.from.fill_buf()?.is_empty();
        let nonce = chunk_nonce(self.number, last);
        self.ready = self
            .cipher
            .decrypt(Nonce::from_slice(&nonce), sealed.as_slice())
            .map_err(|_| broken("it was changed, or is not whole"))?;
        (self.number, self.given, self.last) = (self.number + 1, 0, last);
        Ok(())
    }
}

/// One line of the header, without its end; bounded.
fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.by_ref().take(1024).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(broken("its header is not whole"));
    }
    String::from_utf8(bytes).map_err(|_| broken("its header is no text"))
}

impl<R: BufRead> Read for Opening<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given >= self.ready.len() {
            if self.last {
                return Ok(0);
            }
            self.next()?;
        }
        let rest = self.ready.get(self.given..).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.given += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The pair that the format's own documentation shows.
    const SECRET: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

    fn sealed(bytes: &[u8], to: &Recipient) -> Vec<u8> {
        let mut sealing = Sealing::new(Vec::new(), to).unwrap();
        sealing.write_all(bytes).unwrap();
        sealing.finish().unwrap()
    }

    fn opened(bytes: &[u8], with: &Identity) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Opening::new(bytes, with)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn what_is_sealed_is_opened_at_every_length() {
        let identity = Identity::find(&format!("# a key\n{SECRET}\n")).unwrap();
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 200_000] {
            let bytes: Vec<u8> = (0..length).map(|n| (n * 7) as u8).collect();
            let file = sealed(&bytes, &identity.recipient());
            assert_eq!(opened(&file, &identity).unwrap(), bytes, "{length}");
            // Cut or changed anywhere it is refused, never wrong.
            for at in [file.len() - 1, file.len() / 2, 150, 60, 3] {
                assert!(opened(&file[..at], &identity).is_err(), "{length} cut at {at}");
                let mut other = file.clone();
                other[at] ^= 1;
                assert!(opened(&other, &identity).is_err(), "{length} changed at {at}");
            }
        }
    }

    #[test]
    fn keys_are_read_and_anything_else_is_refused() {
        let one = Identity::find(SECRET).unwrap();
        assert!(Recipient::parse("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj").is_some());
        assert_eq!(
            Recipient::parse("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"),
            Some(one.recipient())
        );
        for text in [
            "",
            "age1",
            "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwk",
            "ssh-ed25519 AAAA",
            "AGE1ZV",
        ] {
            assert!(Recipient::parse(text).is_none(), "{text}");
        }
        assert!(Identity::find("AGE-SECRET-KEY-1GFPYY").is_none());
    }
}
