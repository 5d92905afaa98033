//! Seals: a signature over a stream's head, and one phrase over all seals of a case so far.

use crate::phrase::phrase;
use calma_record::{Digest, StreamName, Timestamp};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// A stream's end in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The sealed stream.
    pub stream: StreamName,
    /// Its head before the seal, which is what was signed.
    pub head: Digest,
    /// How many frames it had before the seal.
    pub frames: u64,
    /// Public key (Ed25519) of the run; its secret half existed in memory only.
    pub public_key: [u8; 32],
    /// Which seal of the case it is, from 1.
    pub number: u32,
    /// All seals of the case so far in six words, to be written down on paper: `calma case verify` shows the same
    /// words on any machine, as long as nothing sealed was changed or removed.
    pub phrase: String,
}

/// A seal as it stands in its frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SealLine {
    /// Which seal of the case it is, from 1.
    pub(crate) number: u32,
    /// The digest over all seals before it.
    pub(crate) previous: Digest,
    /// The stream's head before this frame.
    pub(crate) head: Digest,
    /// How many frames there are before this one.
    pub(crate) frames: u64,
    /// When it was sealed, by the keeper's clock.
    pub(crate) sealed: Timestamp,
    /// The run's public key.
    pub(crate) key: Digest,
    /// The signature's two halves.
    pub(crate) signature: [Digest; 2],
}

impl SealLine {
    /// Makes and signs a seal.
    pub(crate) fn sign(
        stream: &StreamName,
        (number, previous): (u32, Digest),
        (head, frames): (Digest, u64),
        key: &SigningKey,
    ) -> Self {
        let public = Digest(key.verifying_key().to_bytes());
        let mut line = Self {
            number,
            previous,
            head,
            frames,
            sealed: crate::now(),
            key: public,
            signature: [Digest::default(); 2],
        };
        let signature = key.sign(&line.digest(stream).0);
        line.signature = [Digest(*signature.r_bytes()), Digest(*signature.s_bytes())];
        line
    }

    /// The digest over this seal and all before it: what is signed, and what the phrase is made of.
    pub(crate) fn digest(&self, stream: &StreamName) -> Digest {
        Digest::of_all([
            b"calma seal 1\n".as_slice(),
            &self.previous.0,
            &self.number.to_le_bytes(),
            &self.frames.to_le_bytes(),
            &self.sealed.nanoseconds().to_le_bytes(),
            &self.head.0,
            &self.key.0,
            stream.0.as_bytes(),
        ])
    }

    /// The six words after this seal.
    pub(crate) fn phrase(&self, stream: &StreamName) -> String {
        phrase(&self.digest(stream))
    }

    /// Checks the seal against the stream before it and the key its opening names.
    pub(crate) fn check(
        &self,
        stream: &StreamName,
        head: Digest,
        frames: u64,
        key: Option<Digest>,
    ) -> Result<(), &'static str> {
        if self.head != head || self.frames != frames {
            return Err("its seal belongs to something else");
        }
        if key != Some(self.key) {
            return Err("its seal is not of the run that began the stream");
        }
        let [r, s] = self.signature;
        let signature = Signature::from_components(r.0, s.0);
        VerifyingKey::from_bytes(&self.key.0)
            .and_then(|key| key.verify_strict(&self.digest(stream).0, &signature))
            .map_err(|_| "its seal's signature does not match")
    }

    pub(crate) fn seal(&self, stream: &StreamName) -> Seal {
        Seal {
            stream: stream.clone(),
            head: self.head,
            frames: self.frames,
            public_key: self.key.0,
            number: self.number,
            phrase: self.phrase(stream),
        }
    }
}
