//! Addresses of links (`<linux/if_addr.h>`).

use super::class::{Class, find, number, number_at, rewritten, with};
use super::describe;

/// Length of `struct ifaddrmsg`.
const HEADER: usize = 8;
/// `IFA_` attributes.
const ADDRESS_: u16 = 1;
const LOCAL: u16 = 2;
const CACHE: u16 = 6;
const FLAGS: u16 = 8;
/// `IFA_F_` flags: what duplicate address detection and running lifetimes say; temporary addresses of IPv6, which the
/// kernel alone makes (`IFA_F_TEMPORARY`, for IPv4 `IFA_F_SECONDARY`); those that can be set.
const RUNNING: u32 = 0x04 | 0x08 | 0x20 | 0x40;
const TEMPORARY: u32 = 0x01;
const SETTABLE: u32 = 0x02 | 0x10 | 0x100 | 0x200 | 0x400;
const FOR_EVER: u32 = u32::MAX;
const AF_INET6: u8 = 10;

pub(in super::super) const ADDRESS: Class = Class {
    name: "address",
    new: 20,
    header: HEADER,
    questions: || [2, AF_INET6].map(|family| vec![family, 0, 0, 0, 0, 0, 0, 0]).to_vec(),
    lasting,
    key: |lasting| {
        let header = lasting.get(..2).unwrap_or_default();
        let value = |kind| find(lasting, HEADER, kind).unwrap_or_default();
        [header, lasting.get(4..8).unwrap_or_default(), value(ADDRESS_), value(LOCAL)].concat()
    },
    remake,
    describe: |body| {
        let address = find(body, HEADER, LOCAL).or_else(|| find(body, HEADER, ADDRESS_));
        let network = describe::network(address, body.get(1).copied().unwrap_or(0));
        format!("{network} of interface {}", number_at(body, 4))
    },
};

fn flags(body: &[u8]) -> u32 {
    let short = body.get(2).copied().map_or(0, u32::from);
    find(body, HEADER, FLAGS).map_or(short, |value| number(Some(value)))
}

fn lasting(body: &[u8]) -> Option<Vec<u8>> {
    let [family, prefix, _, scope, index @ ..] = *body.first_chunk::<HEADER>()?;
    let kept = (flags(body) & !RUNNING).to_ne_bytes();
    let [i0, i1, i2, i3] = index;
    let header = [family, prefix, 0, scope, i0, i1, i2, i3];
    Some(rewritten(body, &header, |number, value| match number {
        CACHE => None,
        FLAGS => Some(kept.to_vec()),
        _ => Some(value.to_vec()),
    }))
}

fn remake(body: &[u8], later: u64) -> Option<Vec<u8>> {
    let header = *body.first_chunk::<HEADER>()?;
    let [family, prefix, _, scope, ..] = header;
    let flags = flags(body);
    if family == AF_INET6 && flags & TEMPORARY != 0 {
        return None;
    }
    let index = number_at(body, 4);
    let header = with([family, prefix, 0, scope, 0, 0, 0, 0], 4, index);
    let left = |seconds: u32| match seconds {
        FOR_EVER => FOR_EVER,
        seconds => seconds.saturating_sub(u32::try_from(later).unwrap_or(FOR_EVER)),
    };
    let cache = find(body, HEADER, CACHE).unwrap_or_default();
    let (preferred, valid) = match cache.len() {
        0 => (FOR_EVER, FOR_EVER),
        _ => (left(number_at(cache, 0)), left(number_at(cache, 4))),
    };
    // It would have ended meanwhile.
    if valid == 0 {
        return None;
    }
    Some(rewritten(body, &header, |number, value| match number {
        CACHE => Some([preferred.to_ne_bytes(), valid.to_ne_bytes(), [0; 4], [0; 4]].concat()),
        FLAGS => Some((flags & SETTABLE).to_ne_bytes().to_vec()),
        _ => Some(value.to_vec()),
    }))
}

/// Whether duplicate address detection still runs (`IFA_F_TENTATIVE`, and not `IFA_F_DADFAILED`).
pub(in super::super) fn is_tentative(body: &[u8]) -> bool {
    flags(body) & 0x48 == 0x40
}

/// Whether its lifetime runs, and the body that makes it stay for ever.
pub(in super::super) fn pinned(body: &[u8]) -> Option<Vec<u8>> {
    let cache = find(body, HEADER, CACHE)?;
    if number_at(cache, 4) == FOR_EVER {
        return None;
    }
    let ever = [FOR_EVER.to_ne_bytes(), FOR_EVER.to_ne_bytes(), [0; 4], [0; 4]].concat();
    let made = remake(body, 0)?;
    let header = made.first_chunk::<HEADER>().copied()?;
    Some(rewritten(&made, &header, |number, value| {
        Some(if number == CACHE { ever.clone() } else { value.to_vec() })
    }))
}
