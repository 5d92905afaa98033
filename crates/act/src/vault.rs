//! Where bytes are kept before anything is done to them.

use crate::Trouble;
use calma_record::step::Manifest;
use calma_record::{Digest, Text};
use sha2::{Digest as _, Sha256};
use std::io::Read;

/// Bytes that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Piece {
    /// SHA-256 of them.
    pub digest: Digest,
    /// How many.
    pub size: u64,
}

/// A place from which bytes come back exactly: the evidence of a case.
pub trait Vault {
    /// Keeps everything `from` gives, in a form that can not be run. It is on the disk once the next intent is.
    ///
    /// # Errors
    /// When it can not be read to its end, or not be kept whole.
    fn keep(
        &mut self,
        what: &str,
        place: &Text,
        pid: Option<u32>,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble>;

    /// Keeps a file that is taken off the system, where such files are to go; with everything about it beside, for a place
    /// that keeps no attributes.
    ///
    /// # Errors
    /// As for [`Vault::keep`].
    fn keep_away(
        &mut self,
        what: &str,
        place: &Text,
        manifest: &Manifest,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        let _ = manifest;
        self.keep(what, place, None, from)
    }

    /// Has what is stored read again before anything that rests on it is promised: that fails if it does not give back
    /// these very bytes.
    ///
    /// # Errors
    /// When it is known already that it does not.
    fn check(&mut self, digest: &Digest) -> Result<(), Trouble>;

    /// The bytes.
    ///
    /// # Errors
    /// When they are not there.
    fn fetch(&self, digest: &Digest) -> Result<Box<dyn Read>, Trouble>;
}

/// Digest of everything `from` gives.
pub(crate) fn digest(mut from: impl Read) -> Result<Digest, Trouble> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(Digest(hasher.finalize().into())),
            Ok(n) => hasher.update(buffer.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Trouble::new(error.to_string())),
        }
    }
}
