//! Small pieces that went to the keeper in this run, held in memory: a step that needs one comes to its end also when the
//! keeper is gone by then.

use calma_record::Digest;
use std::collections::BTreeMap;

/// A piece larger than this is not held.
pub(super) const LARGEST: usize = 1 << 20;
/// So many bytes are held in all.
const MOST: usize = 32 << 20;

/// The pieces.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    held: BTreeMap<Digest, Vec<u8>>,
    bytes: usize,
}

impl Pieces {
    /// Holds a piece, if there is room for it.
    pub(super) fn hold(&mut self, digest: Digest, bytes: Vec<u8>) {
        if self.bytes + bytes.len() <= MOST && !self.held.contains_key(&digest) {
            self.bytes += bytes.len();
            self.held.insert(digest, bytes);
        }
    }

    /// A piece that is held.
    pub(super) fn get(&self, digest: &Digest) -> Option<&[u8]> {
        self.held.get(digest).map(Vec::as_slice)
    }

    /// Lets go of all of them.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
