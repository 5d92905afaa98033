//! The rules' values as the packet filter's own messages.

use crate::rules::{Chain, Family, Hook, Rule, Table, Test};
use calma_host::wires::nft::{Base, Batch, MetaKey, NftFamily, NftHook, OWNED, Part};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Before every other chain at the same hook (`NF_IP_PRI_FIRST` of `<linux/netfilter_ipv4.h>`).
const FIRST: i32 = i32::MIN;

/// The family's own number.
pub(super) fn family(family: Family) -> NftFamily {
    match family {
        Family::Inet => NftFamily::Inet,
        Family::Arp => NftFamily::Arp,
        Family::Netdev => NftFamily::Netdev,
        Family::Bridge => NftFamily::Bridge,
    }
}

/// A transaction that puts the tables under a name, in place of calma's own that are there. Those of families that are not
/// wanted any more are left to `stale`.
pub(super) fn closing(name: &str, tables: &[Table], stale: &[Family], lasting: bool) -> Batch {
    let mut batch = Batch::new();
    let (name, flags) = (name.as_bytes(), if lasting { 0 } else { OWNED });
    for gone in stale {
        batch.delete_table(family(*gone), name);
    }
    for table in tables {
        let kind = family(table.family);
        // Made if it is not there, taken away with all that is in it, made anew: all at one instant.
        batch.table(kind, name, flags).delete_table(kind, name).table(kind, name, flags);
        let sets = sets(table);
        for (number, devices) in sets.keys().enumerate() {
            batch.devices(kind, name, set_name(number).as_bytes(), devices);
        }
        for chain in &table.chains {
            put(&mut batch, kind, name, chain, &sets);
        }
    }
    batch
}

/// A transaction that takes tables away.
pub(super) fn opening(name: &str, families: &[Family]) -> Batch {
    let mut batch = Batch::new();
    for kind in families {
        batch.delete_table(family(*kind), name.as_bytes());
    }
    batch
}

type Sets = BTreeMap<Vec<u32>, usize>;

/// The lists of several devices that a table's rules name, each with a number.
fn sets(table: &Table) -> Sets {
    let rules = table.chains.iter().flat_map(|chain| &chain.rules);
    let lists = rules.flat_map(|rule| &rule.tests).filter_map(|test| match test {
        Test::In(devices) | Test::Out(devices) if devices.len() > 1 => Some(devices.clone()),
        _ => None,
    });
    let all: std::collections::BTreeSet<Vec<u32>> = lists.collect();
    all.into_iter().enumerate().map(|(number, list)| (list, number)).collect()
}

fn set_name(number: usize) -> String {
    format!("inside-{number}")
}

fn put(batch: &mut Batch, kind: NftFamily, table: &[u8], chain: &Chain, sets: &Sets) {
    let hook = NftHook {
        number: number(chain.hook),
        priority: FIRST,
        device: chain.device.as_ref().map(|device| device.as_bytes().to_vec()),
    };
    batch.chain(kind, table, chain.name.as_bytes(), &hook);
    for rule in &chain.rules {
        if let Some(parts) = parts(kind, rule, sets) {
            batch.rule(kind, table, chain.name.as_bytes(), &parts, rule.name.as_bytes());
        }
    }
}

/// `NF_INET_`, `NF_ARP_`, `NF_BR_` and `NF_NETDEV_` hooks; the names calma uses have the same numbers in each family.
fn number(hook: Hook) -> u32 {
    match hook {
        Hook::Prerouting | Hook::Ingress => 0,
        Hook::Input | Hook::Egress => 1,
        Hook::Forward => 2,
        Hook::Output => 3,
        Hook::Postrouting => 4,
    }
}

/// A rule's parts; `None` for one that no packet can pass (an empty list of devices).
fn parts(kind: NftFamily, rule: &Rule, sets: &Sets) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    for test in &rule.tests {
        parts.push(part(kind, test, sets)?);
    }
    parts.push(Part::Count);
    parts.push(Part::Accept);
    Some(parts)
}

fn bytes(base: Base, offset: u32, bytes: impl Into<Vec<u8>>) -> Part {
    Part::Bytes { base, offset, mask: None, differ: false, bytes: bytes.into() }
}

fn address(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    }
}

/// Where things stand in headers: RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443, RFC 826.
fn part(kind: NftFamily, test: &Test, sets: &Sets) -> Option<Part> {
    let device = |key, devices: &Vec<u32>| match devices.as_slice() {
        [] => None,
        [one] => Some(Part::Meta { key, is: one.to_ne_bytes().to_vec() }),
        _ => sets.get(devices).map(|number| Part::MetaIn { key, set: set_name(*number).into_bytes() }),
    };
    let four = |address: &IpAddr, if_four, if_six| if address.is_ipv4() { if_four } else { if_six };
    let on_link = |offset| Part::Bytes {
        base: Base::Network,
        offset,
        mask: Some(vec![0xff, 0xc0]),
        differ: false,
        bytes: vec![0xfe, 0x80],
    };
    let meta = |key, is: &[u8]| Part::Meta { key, is: is.to_vec() };
    Some(match test {
        Test::In(devices) => device(MetaKey::Came, devices)?,
        Test::Out(devices) => device(MetaKey::Goes, devices)?,
        Test::EtherType(number) => meta(MetaKey::Protocol, &number.to_be_bytes()),
        Test::IsV4(true) if kind == NftFamily::Inet => meta(MetaKey::Family, &[2]),
        Test::IsV4(false) if kind == NftFamily::Inet => meta(MetaKey::Family, &[10]),
        Test::IsV4(true) => meta(MetaKey::Protocol, &[0x08, 0x00]),
        Test::IsV4(false) => meta(MetaKey::Protocol, &[0x86, 0xdd]),
        Test::Source(from) => bytes(Base::Network, four(from, 12, 8), address(*from)),
        Test::Destination(to) => bytes(Base::Network, four(to, 16, 24), address(*to)),
        Test::SourceOnLink => on_link(8),
        Test::DestinationOnLink => on_link(24),
        Test::Protocol(number) => meta(MetaKey::Transport, &[*number]),
        Test::SourcePort(port) => bytes(Base::Transport, 0, port.to_be_bytes()),
        Test::DestinationPort(port) => bytes(Base::Transport, 2, port.to_be_bytes()),
        Test::LaterFragment => Part::Bytes {
            base: Base::Network,
            offset: 6,
            mask: Some(vec![0x1f, 0xff]),
            differ: true,
            bytes: vec![0, 0],
        },
        Test::IcmpKind(number) => bytes(Base::Transport, 0, [*number]),
        Test::IcmpCode(number) => bytes(Base::Transport, 1, [*number]),
        Test::HopLimit(number) => bytes(Base::Network, 7, [*number]),
        // Behind eight bytes of the report: the destination in the header of the packet it is about.
        Test::ErrorOf(of) => bytes(Base::Transport, four(of, 24, 32), address(*of)),
        Test::EtherDestination(card) => bytes(Base::Link, 0, *card),
        Test::EtherSource(card) => bytes(Base::Link, 6, *card),
        Test::ArpSender(of) => bytes(Base::Network, 14, of.octets()),
        Test::ArpTarget(of) => bytes(Base::Network, 24, of.octets()),
    })
}
