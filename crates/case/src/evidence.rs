//! Reading a piece of evidence, verified on the way.

use crate::folder::Folder;
use crate::{Case, CaseError};
use calma_record::Digest;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, BufReader, Read};

/// No piece is larger than this, whatever its file decompresses to.
pub(crate) const LARGEST: u64 = 4 << 30;

/// Passes bytes on and digests them.
pub(crate) struct Digesting<R> {
    from: R,
    hasher: Sha256,
    pub(crate) length: u64,
}

impl<R> Digesting<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, hasher: Sha256::new(), length: 0 }
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest(self.hasher.clone().finalize().into())
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buffer)?;
        self.hasher.update(buffer.get(..n).unwrap_or_default());
        self.length += n as u64;
        Ok(n)
    }
}

/// Digest of everything `from` gives.
pub(crate) fn digest(from: impl Read) -> io::Result<Digest> {
    let mut digesting = Digesting::new(from);
    io::copy(&mut digesting, &mut io::sink())?;
    Ok(digesting.digest())
}

type Stored = Digesting<zstd::Decoder<'static, BufReader<Digesting<File>>>>;

/// A piece of evidence being read. Its last read fails when the bytes were not those of its digest, so what is made of
/// them must be thrown away then.
pub struct Piece {
    from: Stored,
    expected: Digest,
}

impl Piece {
    pub(crate) fn open(folder: &Folder, name: &str, expected: Digest) -> Result<Self, CaseError> {
        let file = folder.read(name)?;
        let decoder = zstd::Decoder::with_buffer(BufReader::with_capacity(1 << 16, Digesting::new(file)))
            .map_err(|error| folder.fault("can not read", name, error))?;
        Ok(Self { from: Digesting::new(decoder), expected })
    }

    /// Reads to the end and returns the digest of the stored file and the number of bytes in the piece.
    pub(crate) fn check(mut self) -> io::Result<(Digest, u64)> {
        io::copy(&mut self, &mut io::sink())?;
        let mut stored = self.from.from.finish();
        io::copy(&mut stored, &mut io::sink())?;
        Ok((stored.get_ref().digest(), self.from.length))
    }
}

impl Read for Piece {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buffer)?;
        let wrong = self.from.length > LARGEST
            || (n == 0 && !buffer.is_empty() && self.from.digest() != self.expected);
        if wrong {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this piece of evidence was changed"));
        }
        Ok(n)
    }
}

/// Name of a piece's folder and of its file there.
pub(crate) fn place(digest: &Digest) -> (String, String) {
    let digits = digest.to_string();
    (digits.chars().take(2).collect(), format!("{digits}.zst"))
}

impl Case {
    /// Whether a piece of evidence with this digest is here.
    pub fn has_evidence(&self, digest: &Digest) -> bool {
        let (folder, name) = place(digest);
        self.evidence.has(&folder) && self.evidence.sub(&folder).is_ok_and(|folder| folder.has(&name))
    }

    /// A piece of evidence by the digest of its bytes. Reading it fails at its end if the bytes were changed.
    ///
    /// # Errors
    /// When there is no such piece, or it can not be opened.
    pub fn evidence(&self, digest: &Digest) -> Result<Piece, CaseError> {
        let (folder, name) = place(digest);
        if !self.evidence.has(&folder) {
            return Err(CaseError::NoPiece(*digest));
        }
        let folder = self.evidence.sub(&folder)?;
        if !folder.has(&name) {
            return Err(CaseError::NoPiece(*digest));
        }
        Piece::open(&folder, &name, *digest)
    }
}
