//! Neighbours that somebody set: permanent ones, and those that are answered for (`<linux/neighbour.h>`).

use super::class::{Class, find, number_at, rewritten};
use super::describe;

/// Length of `struct ndmsg`.
const HEADER: usize = 12;
/// `NUD_PERMANENT`.
const PERMANENT: u8 = 0x80;
/// `NTF_PROXY`.
const PROXY: u8 = 0x08;
/// `NDA_DST`, `NDA_CACHEINFO` and `NDA_PROBES`.
const DESTINATION: u16 = 1;
const CACHE: u16 = 3;
const PROBES: u16 = 4;

pub(in super::super) const NEIGHBOUR: Class = Class {
    name: "neighbour",
    new: 28,
    header: HEADER,
    questions: || {
        let one = |family, flags| vec![family, 0, 0, 0, 0, 0, 0, 0, 0, 0, flags, 0];
        vec![one(2, 0), one(10, 0), one(2, PROXY), one(10, PROXY)]
    },
    lasting: made,
    key: |lasting| {
        let proxy = lasting.get(10).copied().unwrap_or(0) & PROXY;
        let header = [lasting.first().copied().unwrap_or(0), proxy];
        let index = lasting.get(4..8).unwrap_or_default();
        [header.as_slice(), index, find(lasting, HEADER, DESTINATION).unwrap_or_default()].concat()
    },
    remake: |body, _| made(body),
    describe: |body| {
        let address = find(body, HEADER, DESTINATION).unwrap_or_default();
        format!("{} of interface {}", describe::address(address), number_at(body, 4))
    },
};

fn made(body: &[u8]) -> Option<Vec<u8>> {
    let header = *body.first_chunk::<HEADER>()?;
    let state = u16::from_ne_bytes([header[8], header[9]]);
    let proxy = header[10] & PROXY != 0;
    if state != u16::from(PERMANENT) && !proxy {
        return None;
    }
    Some(rewritten(body, &header, |number, value| {
        (!matches!(number, CACHE | PROBES)).then(|| value.to_vec())
    }))
}
