//! Where bytes are kept before anything is done to them.

use crate::Trouble;
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

    /// Whether what is stored gives back these very bytes; it is read again for that.
    ///
    /// # Errors
    /// When it does not.
    fn check(&self, digest: &Digest) -> Result<(), Trouble>;

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
