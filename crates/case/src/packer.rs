//! How small pieces of evidence are compressed.

use std::io;

/// How the keeper's own pieces are compressed: quickly, since somebody waits for them.
pub(crate) const QUICK: i32 = 1;
/// Small ones come by the thousand, and every moment of it is one in which what is to be stopped goes on: a third faster still,
/// for 15 % more room.
const QUICKER: i32 = -2;

/// Compresses small pieces as a case stores them: for whoever has the time for it before they are stored.
pub struct Packer(zstd::bulk::Compressor<'static>);

impl Packer {
    /// With the memory that it takes.
    ///
    /// # Errors
    /// When that can not be had.
    pub fn new() -> io::Result<Self> {
        zstd::bulk::Compressor::new(QUICKER).map(Self)
    }

    /// Puts the bytes, compressed, in the place of what was in `packed`.
    ///
    /// # Errors
    /// When they can not be compressed.
    pub fn pack(&mut self, bytes: &[u8], packed: &mut Vec<u8>) -> io::Result<()> {
        packed.clear();
        // Bytes that do not compress become a little longer (ZSTD_COMPRESSBOUND of zstd.h).
        packed.reserve(bytes.len() + (bytes.len() >> 7) + 1024);
        self.0.compress_to_buffer(bytes, packed).map(drop)
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}
