//! What a packet filter is seen to hold.

use super::nft::{Family, SUBSYSTEM, Table, TableFlags, comment_of, kind};
use crate::netlink::{Attributes, attribute, attributes, attributes_after, messages};
use calma_record::Text;
use std::collections::BTreeMap;

/// Length of `struct nfgenmsg`.
const HEAD: usize = 4;

/// A table that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenTable {
    /// Its name.
    pub table: Table,
    /// Its flags.
    pub flags: TableFlags,
    /// Netlink port of the socket that owns it; 0 if none does.
    pub owner: u32,
    /// The comment it was made with.
    pub tag: Text,
}

/// What a counter has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Chains, rules, sets and elements of a table without handles and counters; comparable, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents(pub(super) Vec<(u8, Vec<u8>)>);

impl Contents {
    /// Whether the table is empty or gone.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of chains, rules, sets and lists of elements.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

fn be32(bytes: &[u8]) -> u32 {
    bytes.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn be64(bytes: &[u8]) -> u64 {
    bytes.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

pub(super) fn string(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The tables of a dump.
pub(super) fn tables(dump: &[u8]) -> Vec<SeenTable> {
    let one = |body: &[u8]| {
        let family = Family::of(*body.first()?)?;
        let find =
            |kind| attributes_after(body, HEAD).find(|(found, _)| *found == kind).map(|(_, value)| value);
        Some(SeenTable {
            table: Table::new(family, string(find(1)?)),
            flags: TableFlags::of(find(2).map_or(0, be32)),
            owner: find(7).map_or(0, be32),
            tag: find(6).and_then(comment_of).unwrap_or_default(),
        })
    };
    messages(dump).flatten().filter_map(|message| one(message.body)).collect()
}

/// The counters of a dump of rules, by tag.
pub(super) fn counters(dump: &[u8], table: &Table) -> BTreeMap<Text, Count> {
    let mut counts = BTreeMap::<Text, Count>::new();
    for message in messages(dump).flatten().filter(|message| is_of(message.body, table)) {
        let rule = message.body.get(HEAD..).unwrap_or_default();
        let Some(tag) = attribute(rule, 7).and_then(comment_of) else { continue };
        let count = counts.entry(tag).or_default();
        for (_, expression) in attributes(attribute(rule, 4).unwrap_or_default()) {
            if let (Some(b"counter\0"), Some(data)) = (attribute(expression, 1), attribute(expression, 2)) {
                count.bytes = count.bytes.saturating_add(attribute(data, 1).map_or(0, be64));
                count.packets = count.packets.saturating_add(attribute(data, 2).map_or(0, be64));
            }
        }
    }
    counts
}

/// Whether a chain, rule or set is of this table.
pub(super) fn is_of(body: &[u8], table: &Table) -> bool {
    let rest = body.get(HEAD..).unwrap_or_default();
    body.first() == Some(&table.family.number())
        && attribute(rest, 1).is_some_and(|name| string(name) == table.name.as_bytes())
}

/// The names of the sets of a dump.
pub(super) fn sets<'a>(dump: &'a [u8], table: &'a Table) -> impl Iterator<Item = &'a [u8]> {
    let ours = messages(dump).flatten().filter(|message| is_of(message.body, table));
    ours.filter_map(|message| attribute(message.body.get(HEAD..)?, 2).map(string))
}

/// The objects of a dump that are of this table, without what changes by itself.
pub(super) fn lasting(dump: &[u8], table: &Table, into: &mut Vec<(u8, Vec<u8>)>) {
    for message in messages(dump).flatten().filter(|message| is_of(message.body, table)) {
        let Some(of) = message.kind.checked_sub(SUBSYSTEM << 8).and_then(|of| u8::try_from(of).ok()) else {
            continue;
        };
        let mut kept = Attributes::new();
        for (number, value) in attributes_after(message.body, HEAD) {
            kept = match (of, number) {
                // Handle, number of uses and counters of a chain; handle and place of a rule; handle of a set.
                (kind::NEW_CHAIN, 2 | 6 | 8) | (kind::NEW_RULE, 3 | 6) | (kind::NEW_SET, 16) => kept,
                (kind::NEW_RULE, 4) => kept.bytes(number, &expressions(value)),
                _ => kept.bytes(number, value),
            };
        }
        into.push((of, kept.done()));
    }
}

/// Expressions without what counters say.
fn expressions(list: &[u8]) -> Vec<u8> {
    let mut kept = Attributes::new();
    for (number, expression) in attributes(list) {
        let counts = attribute(expression, 1) == Some(b"counter\0");
        kept = kept.bytes(number, if counts { b"counter" } else { expression });
    }
    kept.done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::write;
    use crate::wires::nft::comment;

    fn rule(handle: u8, packets: u8) -> Vec<u8> {
        let counter = Attributes::new().bytes(1, &[0; 8]).bytes(2, &[0, 0, 0, 0, 0, 0, 0, packets]);
        let expression = Attributes::new().text(1, b"counter").nest(2, &counter);
        let list = Attributes::new().nest(1, &expression);
        let rule = Attributes::after(&[1, 0, 0, 0]).text(1, b"t").text(2, b"c").bytes(3, &[handle; 8]);
        let rule = rule.nest(4, &list).bytes(7, &comment(b"out"));
        write(SUBSYSTEM << 8 | u16::from(kind::NEW_RULE), 0, 1, &rule.done())
    }

    #[test]
    fn counters_add_up_by_tag_and_do_not_change_the_contents() {
        let table = Table::new(Family::Inet, "t");
        let dump = [rule(1, 2), rule(2, 3)].concat();
        assert_eq!(counters(&dump, &table)[&"out".into()], Count { packets: 5, bytes: 0 });
        assert!(counters(&dump, &Table::new(Family::Inet, "u")).is_empty());
        let contents = |dump: &[u8]| {
            let mut all = Vec::new();
            lasting(dump, &table, &mut all);
            Contents(all)
        };
        assert_eq!(contents(&rule(1, 2)), contents(&rule(9, 7)));
        assert_ne!(contents(&rule(1, 2)), contents(&dump));
        for at in 0..dump.len() {
            for value in [0, 1, 4, 5, 0xff] {
                let mut bytes = dump.clone();
                bytes[at] = value;
                drop((
                    contents(&bytes),
                    counters(&bytes, &table),
                    tables(&bytes),
                    sets(&bytes, &table).count(),
                ));
            }
        }
    }
}
