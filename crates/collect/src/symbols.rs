//! The kernel's symbols, read once a run: three collectors' questions in one pass.

use crate::Context;
use calma_formats::modules::Symbols;
use calma_host::{Follow, HostError};
use std::io::Read as _;

/// Reads /proc/kallsyms.
pub(crate) fn read(context: &Context) -> Result<Symbols, HostError> {
    const LARGEST: u64 = 256 << 20;
    let mut file = context.host.tree().open(b"/proc/kallsyms", Follow::No)?.take(LARGEST);
    let mut symbols = Symbols::default();
    let mut piece = vec![0; 256 << 10];
    while let Ok(length @ 1..) = file.read(&mut piece) {
        symbols.feed(piece.get(..length).unwrap_or_default());
    }
    Ok(symbols)
}
