//! The network state of a namespace as it was: what it takes to bring it back, and to say what differs.
//!
//! It is kept as the kernel's own messages. What changes by itself (counters, ages, lifetimes that run, states of
//! links and neighbours) is left out of comparisons.

mod address;
mod class;
mod describe;
mod link;
mod neighbour;
mod nexthop;
mod route;
mod rule;

pub(super) use address::{is_tentative, pinned};
pub(super) use class::{CLASSES, Class, Object, number_at};
pub(super) use link::{changes, depths, is_up, up_message};
pub(super) use route::is_of_kernel;

use crate::netlink::{messages, write};
use crate::{Cause, HostError};
use std::collections::BTreeMap;

/// A message of this project's own that says when the state was taken: seconds since boot.
const TAKEN: u16 = 0xffff;

/// The network state of a namespace as it was: links, addresses, routes, policy rules, nexthops, permanent neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedNetwork {
    bytes: Vec<u8>,
}

impl SavedNetwork {
    pub(super) fn new(since_boot: u64, dumps: &[u8]) -> Self {
        let mut bytes = write(TAKEN, 0, 0, &since_boot.to_ne_bytes());
        bytes.extend(dumps);
        Self { bytes }
    }

    /// What can be kept in a file. It is read by the same kind of machine.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was kept.
    ///
    /// # Errors
    /// When a message in it is cut or nothing says when it was taken.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, HostError> {
        let whole = {
            let first = messages(&bytes).next().and_then(Result::ok);
            let dated = first.is_some_and(|message| message.kind == TAKEN && message.body.len() == 8);
            let lengths = messages(&bytes).flatten().map(|message| message.whole.len().next_multiple_of(4));
            dated && lengths.sum::<usize>() == bytes.len()
        };
        let broken = HostError::new("read", "saved network state", Cause::Unsupported);
        if whole { Ok(Self { bytes }) } else { Err(broken) }
    }

    /// When it was taken, in seconds since boot.
    pub(super) fn taken(&self) -> u64 {
        let first = messages(&self.bytes).next().and_then(Result::ok);
        first.and_then(|message| message.body.first_chunk().copied()).map_or(0, u64::from_ne_bytes)
    }

    /// The objects of a class, in the kernel's order.
    pub(super) fn objects(&self, class: &'static Class) -> Vec<Object> {
        let of = messages(&self.bytes).flatten().filter(|message| message.kind == class.new);
        of.filter_map(|message| Object::of(class, message.body)).collect()
    }

    /// What differs in `now`, in plain words; empty if nothing does.
    pub(super) fn differences(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for class in CLASSES {
            let mut there = BTreeMap::<Vec<u8>, Vec<Object>>::new();
            for object in now.objects(class) {
                there.entry(object.key.clone()).or_default().push(object);
            }
            for was in self.objects(class) {
                let same = there.get_mut(&was.key);
                let at = same.as_ref().and_then(|same| same.iter().position(|is| is.lasting == was.lasting));
                match (same, at) {
                    (Some(same), Some(at)) => drop(same.remove(at)),
                    (Some(same), None) if !same.is_empty() => {
                        let is = same.remove(0);
                        found.push(format!("{was} has changed: {}", was.changed(&is)));
                    }
                    _ => found.push(format!("{was} is missing")),
                }
            }
            found.extend(there.into_values().flatten().map(|new| format!("{new} was not there")));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Attributes;

    fn saved(objects: &[(u16, Vec<u8>)]) -> SavedNetwork {
        let dumps: Vec<u8> = objects.iter().flat_map(|(kind, body)| write(*kind, 0, 0, body)).collect();
        SavedNetwork::new(5, &dumps)
    }

    fn address(last: u8, valid: u32) -> (u16, Vec<u8>) {
        let cache = [[0xff; 4], valid.to_ne_bytes(), [0; 4], [0; 4]].concat();
        let index = 3_u32.to_ne_bytes();
        let body = Attributes::after(&[[2, 24, 0x80, 0].as_slice(), &index].concat());
        (20, body.bytes(1, &[192, 0, 2, last]).bytes(2, &[192, 0, 2, last]).bytes(6, &cache).done())
    }

    #[test]
    fn differences_are_told_and_running_lifetimes_are_none() {
        let was = saved(&[address(1, 50), address(2, 50)]);
        assert!(was.differences(&saved(&[address(2, 9), address(1, 7)])).is_empty());
        let found = was.differences(&saved(&[address(1, 50), address(3, 50)]));
        assert_eq!(
            found,
            [
                "address 192.0.2.2/24 of interface 3 is missing",
                "address 192.0.2.3/24 of interface 3 was not there",
            ]
        );
        assert_eq!(SavedNetwork::from_bytes(was.as_bytes().to_vec()).unwrap(), was);
        assert_eq!(was.taken(), 5);
    }

    #[test]
    fn no_bytes_break_what_was_kept() {
        let was = saved(&[address(1, 50)]);
        for at in 0..was.bytes.len() {
            assert!(at == 24 || SavedNetwork::from_bytes(was.bytes[..at].to_vec()).is_err(), "{at}");
            for value in [0, 1, 3, 4, 5, 0x7f, 0xff] {
                let mut bytes = was.bytes.clone();
                bytes[at] = value;
                if let Ok(other) = SavedNetwork::from_bytes(bytes) {
                    let _ = was.differences(&other);
                    let objects = CLASSES.iter().flat_map(|class| other.objects(class));
                    objects.for_each(|object| drop(object.remake(3)));
                }
            }
        }
    }
}
