//! What packets pass: the tables as values, held against packets as values.

use super::*;
use crate::survey::Device;
use calma_formats::rtnetlink::{Link, Neighbour, Route};
use calma_host::Namespace;

/// A packet, as far as rules look at it.
#[derive(Clone, Default)]
struct Packet {
    came: u32,
    goes: u32,
    kind: u16,
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    protocol: u8,
    ports: (u16, u16),
    fragment: bool,
    icmp: (u8, u8),
    hops: u8,
    error_of: Option<IpAddr>,
    cards: ([u8; 6], [u8; 6]),
    arp: Option<(Ipv4Addr, Ipv4Addr)>,
}

fn passes(test: &Test, packet: &Packet) -> bool {
    let on_link = |address: Option<IpAddr>| matches!(address, Some(IpAddr::V6(address)) if address.segments()[0] & 0xffc0 == 0xfe80);
    let first = !packet.fragment;
    match test {
        Test::In(devices) => devices.contains(&packet.came),
        Test::Out(devices) => devices.contains(&packet.goes),
        Test::EtherType(kind) => packet.kind == *kind,
        Test::IsV4(four) => packet.source.is_some_and(|source| source.is_ipv4() == *four),
        Test::Source(address) => packet.source == Some(*address),
        Test::Destination(address) => packet.destination == Some(*address),
        Test::SourceOnLink => on_link(packet.source),
        Test::DestinationOnLink => on_link(packet.destination),
        Test::Protocol(number) => packet.protocol == *number,
        Test::SourcePort(port) => first && packet.ports.0 == *port,
        Test::DestinationPort(port) => first && packet.ports.1 == *port,
        Test::LaterFragment => packet.fragment,
        Test::IcmpKind(kind) => packet.icmp.0 == *kind,
        Test::IcmpCode(code) => packet.icmp.1 == *code,
        Test::HopLimit(limit) => packet.hops == *limit,
        Test::ErrorOf(address) => packet.error_of == Some(*address),
        Test::EtherSource(card) => packet.cards.0 == *card,
        Test::EtherDestination(card) => packet.cards.1 == *card,
        Test::ArpSender(address) => packet.arp.is_some_and(|arp| arp.0 == *address),
        Test::ArpTarget(address) => packet.arp.is_some_and(|arp| arp.1 == *address),
    }
}

fn accepted(tables: &[Table], family: Family, hook: Hook, packet: &Packet) -> bool {
    let mut chains =
        tables.iter().filter(|t| t.family == family).flat_map(|t| &t.chains).filter(|c| c.hook == hook);
    let first = chains.next().expect("there is such a chain");
    first.rules.iter().any(|rule| rule.tests.iter().all(|test| passes(test, packet)))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// lo, eth0 with a default route of both families, a bridge with a container behind it.
fn place() -> Place {
    let device = |index: u32, name: &str, kind: &str, leads| Device {
        link: Link { index, name: name.into(), kind: kind.into(), flags: 1, ..Link::default() },
        leads,
    };
    let route = |destination: Option<&str>, prefix, gateway: Option<&str>, family| Route {
        family,
        destination: destination.map(ip),
        prefix,
        gateway: gateway.map(ip),
        interface: Some(2),
        table: 254,
        kind: 1,
        protocol: 4,
        metric: 0,
    };
    let neighbour =
        |address: &str| Neighbour { interface: 2, address: ip(address), hardware: ROUTER.to_vec(), state: 2 };
    Place {
        inode: 1,
        namespace: Namespace::Own,
        file: "/proc/self/ns/net".into(),
        own: true,
        pids: Vec::new(),
        devices: vec![
            device(1, "lo", "", Leads::Loopback),
            device(2, "eth0", "", Leads::Outward),
            device(3, "docker0", "bridge", Leads::Inward),
        ],
        addresses: vec![(2, ip("10.0.0.2"), 24)],
        routes: vec![
            route(None, 0, Some("10.0.0.1"), 2),
            route(Some("10.0.0.0"), 24, None, 2),
            route(None, 0, Some("fe80::1"), 10),
            route(Some("2001:db8::"), 64, None, 10),
        ],
        neighbours: vec![neighbour("10.0.0.1"), neighbour("fe80::1")],
    }
}

fn wanted(kept: &[&str]) -> Wanted {
    Wanted {
        kept: kept.iter().map(|word| word.parse().unwrap()).collect(),
        egress: true,
        ..Wanted::default()
    }
}

fn tcp(from: (&str, u16), to: (&str, u16)) -> Packet {
    let (came, goes) =
        if from.0.starts_with("10.0.0.2") || from.0 == "2001:db8::2" { (0, 2) } else { (2, 0) };
    Packet {
        came,
        goes,
        source: Some(ip(from.0)),
        destination: Some(ip(to.0)),
        protocol: 6,
        ports: (from.1, to.1),
        hops: 64,
        ..Packet::default()
    }
}

const IN: [(Family, Hook); 3] =
    [(Family::Inet, Hook::Prerouting), (Family::Inet, Hook::Input), (Family::Netdev, Hook::Ingress)];
const OUT: [(Family, Hook); 3] =
    [(Family::Inet, Hook::Output), (Family::Inet, Hook::Postrouting), (Family::Netdev, Hook::Egress)];

fn everywhere(tables: &[Table], hooks: [(Family, Hook); 3], packet: &Packet) -> bool {
    let answers = hooks.map(|(family, hook)| accepted(tables, family, hook, packet));
    assert!(answers.iter().all(|one| *one == answers[0]), "the hooks differ: {answers:?}");
    answers[0]
}

#[test]
fn the_session_stays_from_any_port_of_the_peer_to_the_one_port_here() {
    let tables = tables(&place(), &wanted(&["192.0.2.7:22"]));
    let inward = |from, to| everywhere(&tables, IN, &tcp(from, to));
    let outward = |from, to| everywhere(&tables, OUT, &tcp(from, to));
    assert!(inward(("192.0.2.7", 50000), ("10.0.0.2", 22)) && inward(("192.0.2.7", 50001), ("10.0.0.2", 22)));
    assert!(outward(("10.0.0.2", 22), ("192.0.2.7", 50000)));
    // Another peer, another port, the host's own connection to the peer's port 22.
    assert!(
        !inward(("192.0.2.8", 50000), ("10.0.0.2", 22)) && !inward(("192.0.2.7", 50000), ("10.0.0.2", 80))
    );
    assert!(
        !outward(("10.0.0.2", 40000), ("192.0.2.7", 22)) && !outward(("10.0.0.2", 22), ("192.0.2.8", 50000))
    );
    let udp = |packet: Packet| Packet { protocol: 17, ..packet };
    assert!(!everywhere(&tables, IN, &udp(tcp(("192.0.2.7", 53), ("10.0.0.2", 22)))));
    assert!(!everywhere(&tables, OUT, &udp(tcp(("10.0.0.2", 40000), ("10.0.0.1", 53)))));
    // Later fragments have no ports; only the kept peer's pass.
    let fragment = |packet: Packet| Packet { fragment: true, ..packet };
    assert!(everywhere(&tables, IN, &fragment(tcp(("192.0.2.7", 0), ("10.0.0.2", 0)))));
    assert!(!everywhere(&tables, IN, &fragment(tcp(("192.0.2.8", 0), ("10.0.0.2", 0)))));
    assert!(!everywhere(&tables, OUT, &fragment(udp(tcp(("10.0.0.2", 0), ("192.0.2.7", 0))))));
}

#[test]
fn without_a_kept_peer_of_ipv6_nothing_of_it_passes() {
    let tables = tables(&place(), &wanted(&["192.0.2.7:22"]));
    for kind in [133, 134, 135, 136, 128, 143] {
        let packet =
            Packet { protocol: 58, icmp: (kind, 0), hops: 255, ..tcp(("fe80::1", 0), ("fe80::2", 0)) };
        assert!(!everywhere(&tables, IN, &packet), "{kind}");
        assert!(!everywhere(&tables, OUT, &packet), "{kind}");
    }
}

#[test]
fn what_keeps_a_session_alive_stays_and_no_more() {
    let arp = |sender: &str, target: &str| Packet {
        came: 2,
        kind: 0x0806,
        arp: Some((sender.parse().unwrap(), target.parse().unwrap())),
        ..Packet::default()
    };
    let made = tables(&place(), &wanted(&["192.0.2.7:22"]));
    for (family, way_in, way_out) in
        [(Family::Arp, Hook::Input, Hook::Output), (Family::Netdev, Hook::Ingress, Hook::Egress)]
    {
        assert!(accepted(&made, family, way_in, &arp("10.0.0.1", "10.0.0.2")));
        assert!(!accepted(&made, family, way_in, &arp("10.0.0.66", "10.0.0.2")));
        assert!(accepted(&made, family, way_out, &arp("10.0.0.2", "10.0.0.1")));
        assert!(!accepted(&made, family, way_out, &arp("10.0.0.2", "10.0.0.66")));
    }
    let error = |of: &str| Packet {
        protocol: 1,
        icmp: (3, 4),
        error_of: Some(ip(of)),
        ..tcp(("198.51.100.1", 0), ("10.0.0.2", 0))
    };
    assert!(everywhere(&made, IN, &error("192.0.2.7")) && !everywhere(&made, IN, &error("192.0.2.8")));
    assert!(!everywhere(&made, IN, &Packet { icmp: (8, 0), ..error("192.0.2.7") }));
}

#[test]
fn ipv6_is_kept_with_the_discovery_of_its_router() {
    let made = tables(&place(), &wanted(&["[2001:db8:1::7]:22"]));
    assert!(everywhere(&made, IN, &tcp(("2001:db8:1::7", 5), ("2001:db8::2", 22))));
    let message = |from: &str, to: &str, kind, cards| Packet {
        protocol: 58,
        icmp: (kind, 0),
        hops: 255,
        cards,
        ..tcp((from, 0), (to, 0))
    };
    let me = [2, 0, 0, 0, 0, 2];
    assert!(everywhere(&made, IN, &message("fe80::1", "fe80::2", 135, (ROUTER, me))));
    assert!(everywhere(&made, IN, &message("fe80::1", "ff02::1", 134, (ROUTER, [0x33, 0x33, 0, 0, 0, 1]))));
    assert!(everywhere(&made, OUT, &message("fe80::2", "fe80::1", 136, (me, ROUTER))));
    assert!(everywhere(&made, OUT, &message("2001:db8::2", "ff02::1:ff00:1", 135, (me, [0; 6]))));
    // A neighbour that is not the router is not answered at the device, whatever it calls itself.
    let stranger = message("fe80::66", "fe80::2", 135, ([2, 0, 0, 0, 0, 9], me));
    assert!(!accepted(&made, Family::Netdev, Hook::Ingress, &stranger));
    // A hop limit below 255 has passed a router: it is not of this link.
    assert!(!everywhere(
        &made,
        IN,
        &Packet { hops: 254, ..message("fe80::1", "fe80::2", 135, (ROUTER, me)) }
    ));
    assert!(!everywhere(&made, IN, &tcp(("2001:db8:1::8", 5), ("2001:db8::2", 22))));
}

#[test]
fn inside_the_host_all_goes_on_and_nothing_is_passed_through() {
    let made = tables(&place(), &wanted(&[]));
    let inner = Packet { came: 3, goes: 3, ..tcp(("172.17.0.2", 1), ("172.17.0.1", 2)) };
    assert!(accepted(&made, Family::Inet, Hook::Input, &inner));
    assert!(accepted(&made, Family::Inet, Hook::Output, &inner));
    assert!(accepted(&made, Family::Inet, Hook::Forward, &inner));
    assert!(!accepted(&made, Family::Inet, Hook::Forward, &Packet { goes: 2, ..inner.clone() }));
    assert!(!accepted(&made, Family::Inet, Hook::Forward, &Packet { came: 2, ..inner.clone() }));
    // A device that comes later is on no list.
    assert!(!accepted(&made, Family::Inet, Hook::Forward, &Packet { goes: 9, ..inner.clone() }));
    assert!(!accepted(&made, Family::Inet, Hook::Input, &Packet { came: 9, ..inner }));
    let families: Vec<Family> = made.iter().map(|table| table.family).collect();
    assert_eq!(families, [Family::Inet, Family::Netdev, Family::Arp, Family::Bridge]);
    assert_eq!(made[1].chains.len(), 2);
    let old = Wanted { egress: false, ..wanted(&[]) };
    assert_eq!(tables(&place(), &old)[1].chains.len(), 1);
}

#[test]
fn a_release_in_stages_opens_one_port_and_a_lease_is_renewed() {
    let wanted = Wanted {
        open: vec![443],
        leases: vec![Lease { server: "10.0.0.1".parse().unwrap() }],
        ..wanted(&["192.0.2.7:22"])
    };
    let made = tables(&place(), &wanted);
    assert!(everywhere(&made, IN, &tcp(("203.0.113.5", 9), ("10.0.0.2", 443))));
    assert!(everywhere(&made, OUT, &tcp(("10.0.0.2", 443), ("203.0.113.5", 9))));
    assert!(!everywhere(&made, OUT, &tcp(("10.0.0.2", 9), ("203.0.113.5", 443))));
    assert!(!everywhere(&made, IN, &tcp(("203.0.113.5", 9), ("10.0.0.2", 80))));
    let dhcp = |to: &str, ports| Packet { protocol: 17, ports, ..tcp(("10.0.0.2", 0), (to, 0)) };
    assert!(everywhere(&made, OUT, &dhcp("10.0.0.1", (68, 67))));
    assert!(
        !everywhere(&made, OUT, &dhcp("10.0.0.9", (68, 67)))
            && !everywhere(&made, OUT, &dhcp("10.0.0.1", (68, 53)))
    );
}
