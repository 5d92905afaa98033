//! Routes of all tables (`<linux/rtnetlink.h>`).

use super::class::{Class, find, number, number_at, rewritten, with};
use super::describe;

/// Length of `struct rtmsg`.
const HEADER: usize = 12;
/// `RTA_` attributes.
const DESTINATION: u16 = 1;
const INTERFACE: u16 = 4;
const GATEWAY: u16 = 5;
const PRIORITY: u16 = 6;
const MULTIPATH: u16 = 9;
const CACHE: u16 = 12;
const TABLE: u16 = 15;
const VIA: u16 = 18;
const EXPIRES: u16 = 23;
const PADDING: u16 = 24;
const NEXTHOP: u16 = 30;
/// `RTNH_F_PERVASIVE` and `RTNH_F_ONLINK`; the others say what state the link is in.
const SETTABLE: u32 = 0x2 | 0x4;
/// `RTM_F_CLONED`: an entry of a cache.
const CLONED: u32 = 0x200;
/// `RTPROT_KERNEL`.
const KERNEL: u8 = 2;

pub(in super::super) const ROUTE: Class = Class {
    name: "route",
    new: 24,
    header: HEADER,
    questions: || [2, 10].map(|family| vec![family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).to_vec(),
    lasting,
    key: <[u8]>::to_vec,
    remake,
    describe: |body| {
        let mut text = describe::network(find(body, HEADER, DESTINATION), body.get(1).copied().unwrap_or(0));
        if let Some(gateway) = find(body, HEADER, GATEWAY) {
            text.push_str(&format!(" via {}", describe::address(gateway)));
        }
        let named = [(INTERFACE, "interface"), (NEXTHOP, "nexthop"), (PRIORITY, "metric"), (TABLE, "table")];
        for (kind, name) in named {
            if let Some(value) = find(body, HEADER, kind) {
                text.push_str(&format!(" {name} {}", number(Some(value))));
            }
        }
        text
    },
};

/// Whether the kernel made it by itself as part of an address: local, broadcast, anycast and multicast addresses.
fn belongs_to_an_address(header: &[u8; HEADER]) -> bool {
    matches!(header, [_, _, _, _, _, KERNEL, _, 2..=5, ..])
}

/// Whether it is one that the kernel makes for the network of an address.
pub(in super::super) fn is_of_kernel(body: &[u8]) -> bool {
    body.get(5) == Some(&KERNEL)
}

/// The header without what the kernel alone says, and whether a nexthop object stands for where it leads.
fn settable(body: &[u8]) -> Option<([u8; HEADER], bool)> {
    let header = body.first_chunk::<HEADER>()?;
    let by_object = find(body, HEADER, NEXTHOP).is_some();
    let flags = if by_object { 0 } else { number_at(body, 8) & SETTABLE };
    Some((with(*header, 8, flags), by_object))
}

fn kept(number: u16, value: &[u8], by_object: bool) -> Option<Vec<u8>> {
    match number {
        CACHE | EXPIRES | PADDING => None,
        INTERFACE | GATEWAY | MULTIPATH | VIA if by_object => None,
        MULTIPATH => Some(paths(value)),
        _ => Some(value.to_vec()),
    }
}

fn lasting(body: &[u8]) -> Option<Vec<u8>> {
    let (header, by_object) = settable(body)?;
    if belongs_to_an_address(&header) || number_at(body, 8) & CLONED != 0 {
        return None;
    }
    Some(rewritten(body, &header, |number, value| kept(number, value, by_object)))
}

fn remake(body: &[u8], later: u64) -> Option<Vec<u8>> {
    let (header, by_object) = settable(body)?;
    let mut made = rewritten(body, &header, |number, value| kept(number, value, by_object));
    // `struct rta_cacheinfo`: the third number are the clock ticks (USER_HZ) until it ends, 0 for never.
    let expires = find(body, HEADER, CACHE).map_or(0, |cache| number_at(cache, 8).cast_signed());
    if expires > 0 {
        let seconds = u64::from(expires.unsigned_abs()) / rustix::param::clock_ticks_per_second().max(1);
        let left = seconds.checked_sub(later).filter(|left| *left > 0)?;
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        made = crate::netlink::Attributes::after(&made).u32(EXPIRES, left).done();
    }
    Some(made)
}

/// Several paths (`struct rtnexthop`, each with attributes) without what the kernel says of their links.
fn paths(value: &[u8]) -> Vec<u8> {
    let mut all = value.to_vec();
    let mut at = 0_usize;
    while let Some([l0, l1, flags, ..]) = all.get_mut(at..) {
        *flags &= 0x6;
        let length = usize::from(u16::from_ne_bytes([*l0, *l1]));
        if length < 8 {
            break;
        }
        at = at.saturating_add(length.next_multiple_of(4));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_keep_their_own_flags_alone_and_bad_lengths_end_the_walk() {
        let length = 8_u16.to_ne_bytes();
        let one = [length[0], length[1], 0x15, 3, 1, 0, 0, 0];
        let both = paths(&[one, one].concat());
        assert_eq!((both[2], both[10]), (4, 4));
        assert_eq!(paths(&[0, 0, 0xff, 0]), [0, 0, 6, 0]);
        assert_eq!(paths(&[1]), [1]);
    }
}
