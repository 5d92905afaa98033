//! Links: whether they are up, and what can be set of them (`<linux/if_link.h>`).

use super::class::{Class, find, number, number_at, rewritten, with};
use super::{Object, describe};
use crate::netlink::{Attributes, attribute};
use std::collections::BTreeMap;

/// Length of `struct ifinfomsg`.
const HEADER: usize = 16;
/// `IFF_UP`.
pub(in super::super) const IFF_UP: u32 = 0x1;
/// What else is set of the flags: `IFF_NOARP`, `IFF_PROMISC`, `IFF_ALLMULTI`, `IFF_MULTICAST`.
const SETTABLE: u32 = 0x80 | 0x100 | 0x200 | 0x1000;
/// `IFLA_` attributes.
const ADDRESS: u16 = 1;
const BROADCAST: u16 = 2;
const NAME: u16 = 3;
const MTU: u16 = 4;
const LOWER: u16 = 5;
const MASTER: u16 = 10;
const QUEUE: u16 = 13;
const INFO: u16 = 18;
const ALIAS: u16 = 20;
const GROUP: u16 = 27;
const ELSEWHERE: u16 = 37;
/// Those that are compared, with their names.
const COMPARED: [(u16, &str); 9] = [
    (ADDRESS, "hardware address"),
    (BROADCAST, "broadcast address"),
    (NAME, "name"),
    (MTU, "MTU"),
    (LOWER, "lower link"),
    (MASTER, "master"),
    (QUEUE, "queue length"),
    (ALIAS, "alias"),
    (GROUP, "group"),
];
/// Those that are set again, in this order; a link without master has none of that number.
const SET: [u16; 7] = [ADDRESS, NAME, MTU, MASTER, QUEUE, ALIAS, GROUP];

pub(in super::super) const LINK: Class = Class {
    name: "link",
    new: 16,
    header: HEADER,
    questions: || vec![vec![0; HEADER]],
    lasting,
    key: |lasting| lasting.get(4..8).unwrap_or_default().to_vec(),
    remake: |_, _| None,
    describe: |body| {
        let name = find(body, HEADER, NAME).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        format!("{} ({})", calma_record::Text::from(name), number_at(body, 4))
    },
};

fn lasting(body: &[u8]) -> Option<Vec<u8>> {
    let header = *body.first_chunk::<HEADER>()?;
    let header = with(with(header, 8, number_at(body, 8) & (SETTABLE | IFF_UP)), 12, 0);
    Some(rewritten(body, &header, |number, value| match number {
        // Only the kind: what belongs to it has counters and clocks in it.
        INFO => attribute(value, 1).map(<[u8]>::to_vec),
        ELSEWHERE => Some(value.to_vec()),
        _ => COMPARED.iter().any(|(compared, _)| *compared == number).then(|| value.to_vec()),
    }))
}

/// What differs between two states of one link.
pub(super) fn changed(was: &[u8], is: &[u8]) -> String {
    let mut parts = Vec::new();
    let (before, after) = (number_at(was, 8), number_at(is, 8));
    match (before & IFF_UP, after & IFF_UP) {
        (IFF_UP, 0) => parts.push("it is down".to_owned()),
        (0, IFF_UP) => parts.push("it is up".to_owned()),
        _ if before != after => parts.push(format!("flags {before:#x} are {after:#x}")),
        _ => {}
    }
    for (kind, name) in COMPARED {
        let (one, two) = (find(was, HEADER, kind), find(is, HEADER, kind));
        if one != two {
            let text = |value: Option<&[u8]>| match (kind, value) {
                (_, None) => "none".to_owned(),
                (NAME | ALIAS, Some(value)) => calma_record::Text::from(value).to_string(),
                (ADDRESS | BROADCAST, Some(value)) => describe::hexadecimal(value),
                (_, value) => number(value).to_string(),
            };
            parts.push(format!("{name} {} is {}", text(one), text(two)));
        }
    }
    if find(was, HEADER, INFO) != find(is, HEADER, INFO) {
        parts.push("its kind".to_owned());
    }
    parts.join(", ")
}

/// Whether a link is up.
pub(in super::super) fn is_up(link: &Object) -> bool {
    number_at(&link.body, 8) & IFF_UP != 0
}

/// The body that takes a link up or down.
pub(in super::super) fn up_message(index: u32, up: bool) -> Vec<u8> {
    let header = with([0; HEADER], 4, index);
    let flags = if up { IFF_UP } else { 0 };
    with(with(header, 8, flags), 12, IFF_UP).to_vec()
}

/// The bodies that give `is` what was set of `was`, one for each thing, without taking it up or down.
pub(in super::super) fn changes(was: &Object, is: &Object) -> Vec<Vec<u8>> {
    let header = with([0; HEADER], 4, number_at(&was.body, 4));
    let mut all = Vec::new();
    let (before, after) = (number_at(&was.body, 8) & SETTABLE, number_at(&is.body, 8) & SETTABLE);
    if before != after {
        all.push(with(with(header, 8, before), 12, before ^ after).to_vec());
    }
    for kind in SET {
        let value = find(&was.body, HEADER, kind);
        if value != find(&is.body, HEADER, kind) {
            let none: &[u8] = if kind == ALIAS { &[] } else { &[0; 4] };
            all.push(Attributes::after(&header).bytes(kind, value.unwrap_or(none)).done());
        }
    }
    all
}

/// The links by index, each with the number of links below it in the same namespace: lower ones are taken up first.
pub(in super::super) fn depths(links: &[Object]) -> BTreeMap<u32, usize> {
    let below: BTreeMap<u32, u32> = links
        .iter()
        .filter(|link| find(&link.body, HEADER, ELSEWHERE).is_none())
        .map(|link| (number_at(&link.body, 4), number(find(&link.body, HEADER, LOWER))))
        .collect();
    let depth = |index: u32| {
        let (mut at, mut depth) = (index, 0);
        // A loop can not be longer than there are links.
        while let Some(lower) = below.get(&at).filter(|lower| **lower != 0 && **lower != at) {
            at = *lower;
            depth += 1;
            if depth > below.len() {
                break;
            }
        }
        depth
    };
    links.iter().map(|link| number_at(&link.body, 4)).map(|index| (index, depth(index))).collect()
}
