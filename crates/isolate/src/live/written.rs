//! The rules' values as the packet filter's own messages.

use crate::rules::{Chain, Family, Hook, Rule, Table, Test};
use calma_host::wires::nft::{
    self, Base, Batch, Compare, Element, Expression, KeyKind, Meta, Policy, Set, TableFlags,
};
use calma_record::Text;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Before every other chain at the same hook (`NF_IP_PRI_FIRST` of `<linux/netfilter_ipv4.h>`).
const FIRST: i32 = i32::MIN;

/// The family's own name for itself.
pub(super) fn family(family: Family) -> nft::Family {
    match family {
        Family::Inet => nft::Family::Inet,
        Family::Arp => nft::Family::Arp,
        Family::Netdev => nft::Family::Netdev,
        Family::Bridge => nft::Family::Bridge,
    }
}

/// A table of calma's.
pub(super) fn table(kind: Family, name: &str) -> nft::Table {
    nft::Table::new(family(kind), name)
}

/// A transaction that puts the tables under a name, in place of calma's own that are there; those of `stale` families are
/// taken away. All at one instant.
pub(super) fn closing(name: &str, tables: &[Table], stale: &[Family], lasting: bool) -> Batch {
    let mut batch = Batch::new();
    let flags = TableFlags { owner: !lasting, ..TableFlags::default() };
    for gone in stale {
        batch.delete_table(&table(*gone, name));
    }
    for one in tables {
        let made = table(one.family, name);
        // Made if it is not there, taken away with all that is in it, made anew.
        batch.set_table(&made, flags).delete_table(&made).set_table(&made, flags);
        let sets = sets(one, &made);
        for (devices, set) in &sets {
            let elements: Vec<Element> =
                devices.iter().map(|device| Element::One(device.to_ne_bytes().to_vec())).collect();
            batch.add_set(set, &elements);
        }
        for chain in &one.chains {
            put(&mut batch, &made, chain, &sets);
        }
    }
    batch
}

/// A transaction that takes tables away.
pub(super) fn opening(name: &str, families: &[Family]) -> Batch {
    let mut batch = Batch::new();
    for kind in families {
        batch.delete_table(&table(*kind, name));
    }
    batch
}

type Sets = BTreeMap<Vec<u32>, Set>;

/// The lists of several devices that a table's rules name, each as a set.
fn sets(one: &Table, made: &nft::Table) -> Sets {
    let rules = one.chains.iter().flat_map(|chain| &chain.rules);
    let lists = rules.flat_map(|rule| &rule.tests).filter_map(|test| match test {
        Test::In(devices) | Test::Out(devices) if devices.len() > 1 => Some(devices.clone()),
        _ => None,
    });
    let all: std::collections::BTreeSet<Vec<u32>> = lists.collect();
    let set = |number: u32| Set::named(made, format!("inside-{number}"), number, KeyKind::Interface);
    (1..).zip(all).map(|(number, list)| (list, set(number))).collect()
}

fn put(batch: &mut Batch, made: &nft::Table, chain: &Chain, sets: &Sets) {
    let device = || chain.device.iter().cloned().collect::<Vec<Text>>();
    let hook = match chain.hook {
        Hook::Prerouting => nft::Hook::Prerouting,
        Hook::Input => nft::Hook::Input,
        Hook::Forward => nft::Hook::Forward,
        Hook::Output => nft::Hook::Output,
        Hook::Postrouting => nft::Hook::Postrouting,
        Hook::Ingress => nft::Hook::Ingress(device()),
        Hook::Egress => nft::Hook::Egress(device()),
    };
    let base = nft::Chain::base(made, chain.name.as_str(), hook, FIRST, Policy::Drop);
    batch.add_chain(&base);
    for rule in &chain.rules {
        if let Some(rule) = written(made.family, rule, sets) {
            batch.add_rule(made, &base.name, &rule);
        }
    }
}

/// A rule as the kernel takes it; `None` for one that no packet can pass (an empty list of devices).
fn written(kind: nft::Family, rule: &Rule, sets: &Sets) -> Option<nft::Rule> {
    let start = Some(nft::Rule::new(kind).tagged(rule.name.as_str()));
    let tested = rule.tests.iter().fold(start, |made, test| add(made?, test, sets));
    Some(tested?.counted().accept())
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    }
}

/// Where things stand in headers: RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443, RFC 826.
fn add(rule: nft::Rule, test: &Test, sets: &Sets) -> Option<nft::Rule> {
    let device = |rule: nft::Rule, key, devices: &Vec<u32>| match devices.as_slice() {
        [] => None,
        [one] => Some(rule.meta(key, &one.to_ne_bytes())),
        _ => sets.get(devices).map(|set| rule.then(Expression::Meta(key)).in_set(set)),
    };
    let four = |address: &IpAddr, if_four, if_six| if address.is_ipv4() { if_four } else { if_six };
    let on_link =
        |rule: nft::Rule, offset| rule.payload_masked(Base::Network, offset, &[0xff, 0xc0], &[0xfe, 0x80]);
    Some(match test {
        Test::In(devices) => device(rule, Meta::InputInterface, devices)?,
        Test::Out(devices) => device(rule, Meta::OutputInterface, devices)?,
        Test::EtherType(number) => rule.protocol(*number),
        Test::IsV4(true) => rule.ipv4(),
        Test::IsV4(false) => rule.ipv6(),
        Test::Source(from) => rule.payload(Base::Network, four(from, 12, 8), &bytes(*from)),
        Test::Destination(to) => rule.payload(Base::Network, four(to, 16, 24), &bytes(*to)),
        Test::SourceOnLink => on_link(rule, 8),
        Test::DestinationOnLink => on_link(rule, 24),
        Test::Protocol(number) => rule.transport(*number),
        Test::SourcePort(port) => rule.source_port(*port),
        Test::DestinationPort(port) => rule.destination_port(*port),
        Test::LaterFragment => rule
            .then(Expression::Payload { base: Base::Network, offset: 6, length: 2 })
            .then(Expression::Mask(vec![0x1f, 0xff]))
            .then(Expression::Compare(Compare::Differs, vec![0, 0])),
        Test::IcmpKind(number) => rule.payload(Base::Transport, 0, &[*number]),
        Test::IcmpCode(number) => rule.payload(Base::Transport, 1, &[*number]),
        Test::HopLimit(number) => rule.payload(Base::Network, 7, &[*number]),
        // Behind eight bytes of the report: the destination in the header of the packet it is about.
        Test::ErrorOf(of) => rule.payload(Base::Transport, four(of, 24, 32), &bytes(*of)),
        Test::EtherDestination(card) => rule.ether_destination(*card),
        Test::EtherSource(card) => rule.ether_source(*card),
        Test::ArpSender(of) => rule.arp_sender(*of),
        Test::ArpTarget(of) => rule.arp_target(*of),
    })
}
