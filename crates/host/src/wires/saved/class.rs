//! The classes of objects that make up a network's state, and what they have in common.

use super::{address, link, neighbour, nexthop, route, rule};
use crate::netlink::{Attributes, attributes_after};

/// One class of objects. Message types are those of `<linux/rtnetlink.h>`.
#[derive(Debug)]
pub(in super::super) struct Class {
    /// What an object of it is called.
    pub(in super::super) name: &'static str,
    /// Message that makes or tells of one; the next removes one, the one after asks.
    pub(in super::super) new: u16,
    /// Length of the fixed header.
    pub(in super::super) header: usize,
    /// Bodies of the questions that dump all of them.
    pub(in super::super) questions: fn() -> Vec<Vec<u8>>,
    /// Whether an object is one that somebody made, and its header and attributes without what changes by itself.
    pub(super) lasting: fn(&[u8]) -> Option<Vec<u8>>,
    /// What distinguishes an object from all others, from what lasts of it.
    pub(super) key: fn(&[u8]) -> Vec<u8>,
    /// The body that makes it again, so many seconds after it was seen; `None` where the kernel alone can.
    pub(super) remake: fn(&[u8], u64) -> Option<Vec<u8>>,
    /// In plain words.
    pub(super) describe: fn(&[u8]) -> String,
}

/// All classes, in the order in which they are put back.
pub(in super::super) static CLASSES: &[&Class] =
    &[&link::LINK, &address::ADDRESS, &nexthop::NEXTHOP, &route::ROUTE, &rule::RULE, &neighbour::NEIGHBOUR];

/// One object.
#[derive(Clone, Debug)]
pub(in super::super) struct Object {
    pub(in super::super) class: &'static Class,
    /// The kernel's message without its header.
    pub(in super::super) body: Vec<u8>,
    /// What distinguishes it.
    pub(in super::super) key: Vec<u8>,
    /// What is compared.
    pub(in super::super) lasting: Vec<u8>,
}

impl Object {
    pub(super) fn of(class: &'static Class, body: &[u8]) -> Option<Self> {
        let lasting = (class.lasting)(body)?;
        Some(Self { class, body: body.to_vec(), key: (class.key)(&lasting), lasting })
    }

    /// The body that makes it again.
    pub(in super::super) fn remake(&self, seconds_later: u64) -> Option<Vec<u8>> {
        (self.class.remake)(&self.body, seconds_later)
    }

    /// What differs in another one: the numbers of the attributes, 0 for the header.
    pub(super) fn changed(&self, other: &Self) -> String {
        let header = self.class.header;
        if self.class.new == link::LINK.new {
            return link::changed(&self.lasting, &other.lasting);
        }
        let mut numbers = Vec::new();
        if self.lasting.get(..header) != other.lasting.get(..header) {
            numbers.push(0);
        }
        for (one, two) in [(self, other), (other, self)] {
            for (number, value) in attributes_after(&one.lasting, header) {
                let same = attributes_after(&two.lasting, header).any(|other| other == (number, value));
                if !same && !numbers.contains(&number) {
                    numbers.push(number);
                }
            }
        }
        let numbers: Vec<String> = numbers.iter().map(u16::to_string).collect();
        format!("attributes {}", numbers.join(", "))
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.class.name, (self.class.describe)(&self.lasting))
    }
}

/// A body with another header and only those attributes that `keep` gives a value for.
pub(super) fn rewritten(body: &[u8], header: &[u8], keep: impl Fn(u16, &[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let kept = attributes_after(body, header.len());
    let kept = kept.filter_map(|(number, value)| Some((number, keep(number, value)?)));
    kept.fold(Attributes::after(header), |all, (number, value)| all.bytes(number, &value)).done()
}

/// The first attribute of this type behind a fixed header.
pub(super) fn find(body: &[u8], header: usize, number: u16) -> Option<&[u8]> {
    attributes_after(body, header).find(|(found, _)| *found == number).map(|(_, value)| value)
}

/// The number at the start of a value, in the machine's order; 0 if there is none.
pub(super) fn number(value: Option<&[u8]>) -> u32 {
    value.and_then(|value| value.first_chunk().copied()).map_or(0, u32::from_ne_bytes)
}

/// The number at an offset, in the machine's order; 0 if there is none.
pub(in super::super) fn number_at(body: &[u8], at: usize) -> u32 {
    number(body.get(at..))
}

/// A header with the number at an offset set.
pub(super) fn with<const N: usize>(mut header: [u8; N], at: usize, value: u32) -> [u8; N] {
    if let Some(place) = header.get_mut(at..at.saturating_add(4)) {
        place.copy_from_slice(&value.to_ne_bytes());
    }
    header
}
