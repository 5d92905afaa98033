//! Sets of values that a rule looks into.

use super::Table;
use crate::netlink::Attributes;
use calma_record::Text;

/// What a set's keys are. nft(8) needs the type to show them; the kernel the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// IPv4 addresses.
    Ipv4,
    /// IPv6 addresses.
    Ipv6,
    /// Ethernet addresses.
    Ether,
    /// Ports.
    Port,
    /// Interface indices.
    Interface,
}

impl KeyKind {
    /// Bytes of a key.
    pub fn length(self) -> u32 {
        match self {
            Self::Ipv4 | Self::Interface => 4,
            Self::Ipv6 => 16,
            Self::Ether => 6,
            Self::Port => 2,
        }
    }

    /// The number by which nft(8) knows the type (`enum datatypes` of its own source; the kernel only keeps it).
    fn number(self) -> u32 {
        match self {
            Self::Ipv4 => 7,
            Self::Ipv6 => 8,
            Self::Ether => 9,
            Self::Port => 13,
            Self::Interface => 20,
        }
    }
}

/// A value of a set, or all from one up to and not including another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// One value.
    One(Vec<u8>),
    /// From the first up to the last one, both included; only in a set of intervals.
    Range(Vec<u8>, Vec<u8>),
}

/// A set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The table it is in.
    pub table: Table,
    /// Its name. An anonymous one is named by the kernel: `__set%d`.
    pub name: Text,
    /// Its number in the batch that makes it: different from that of every other set there.
    pub id: u32,
    /// What its keys are.
    pub key: KeyKind,
    /// Whether it holds ranges.
    pub intervals: bool,
    anonymous: bool,
}

impl Set {
    /// A set with a name, whose elements can be changed later.
    pub fn named(table: &Table, name: impl Into<Text>, id: u32, key: KeyKind) -> Self {
        Self { table: table.clone(), name: name.into(), id, key, intervals: false, anonymous: false }
    }

    /// A set that belongs to one rule and goes with it. Exactly one rule of the batch must look into it.
    pub fn anonymous(table: &Table, id: u32, key: KeyKind) -> Self {
        Self { anonymous: true, ..Self::named(table, "__set%d", id, key) }
    }

    /// The same, for ranges.
    pub fn of_ranges(self) -> Self {
        Self { intervals: true, ..self }
    }

    /// The `NFTA_SET_` attributes that make it. Anonymous sets are constant.
    pub(super) fn attributes(&self) -> Attributes {
        let flags = (u32::from(self.anonymous) * 3) | (u32::from(self.intervals) << 2);
        let set = Attributes::new().text(1, self.table.name.as_bytes()).text(2, self.name.as_bytes());
        set.be32(3, flags).be32(4, self.key.number()).be32(5, self.key.length()).be32(10, self.id)
    }

    /// The `NFTA_SET_ELEM_LIST_` attributes that add or remove elements.
    pub(super) fn list(&self, elements: &[Element]) -> Attributes {
        let key = |bytes: &[u8]| Attributes::new().nest(1, &Attributes::new().bytes(1, bytes));
        let mut list = Attributes::new();
        for element in elements {
            match element {
                Element::One(value) if !self.intervals => list = list.nest(1, &key(value)),
                Element::One(value) | Element::Range(value, _) => {
                    let last = if let Element::Range(_, last) = element { last } else { value };
                    list = list.nest(1, &key(value));
                    // A range without end goes up to the last value there is.
                    if let Some(end) = next(last) {
                        list = list.nest(1, &key(&end).be32(3, 1));
                    }
                }
            }
        }
        let place = Attributes::new().text(1, self.table.name.as_bytes()).text(2, self.name.as_bytes());
        place.be32(4, self.id).nest(3, &list)
    }
}

/// The number after a number in network order; `None` after the last.
fn next(value: &[u8]) -> Option<Vec<u8>> {
    let mut value = value.to_vec();
    for byte in value.iter_mut().rev() {
        let (sum, carried) = byte.overflowing_add(1);
        *byte = sum;
        if !carried {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_range_is_the_number_after_it() {
        assert_eq!(next(&[1, 0xff]), Some(vec![2, 0]));
        assert_eq!(next(&[0xff, 0xff]), None);
    }
}
