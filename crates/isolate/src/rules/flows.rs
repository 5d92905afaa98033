//! The flows that stay, and what keeps them alive: ARP and neighbour discovery of the next hop, router advertisements,
//! errors about the path's packet size, the renewal of an address.

use super::{Rule, Test, Wanted};
use crate::Kept;
use crate::beat;
use crate::canary::PORT;
use crate::survey::Place;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address that a DHCP server lends (RFC 2131).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lease {
    /// The server.
    pub server: Ipv4Addr,
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Into this host.
    In,
    /// Out of it.
    Out,
}

/// Where a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// At a device, where hardware addresses can be read.
    Link,
    /// In the network stack.
    Network,
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// ICMPv6 messages of neighbour discovery (RFC 4861).
const ADVERTISED_ROUTER: u8 = 134;
/// ICMPv6 messages of group membership (RFC 2710, RFC 3810): without them a switch that listens to them stops delivering the
/// questions of the router to this host after some minutes.
const WHO_LISTENS: u8 = 130;
const LISTENS: u8 = 143;
const SOLICITED: u8 = 135;
const ADVERTISED: u8 = 136;

/// All routers that keep lists of group members (RFC 3810, section 5.2.14).
const ALL_MLD_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

/// The flows of a namespace.
pub(super) struct Flows<'a> {
    place: &'a Place,
    wanted: &'a Wanted,
    hops: BTreeSet<IpAddr>,
    six: bool,
}

impl<'a> Flows<'a> {
    pub(super) fn of(place: &'a Place, wanted: &'a Wanted) -> Self {
        let mut hops: BTreeSet<IpAddr> =
            wanted.kept.iter().flat_map(|kept| place.next_hops(kept.peer)).collect();
        if let Some(witness) = wanted.beat {
            hops.extend(place.next_hops(witness));
        }
        for lease in &wanted.leases {
            hops.extend(place.next_hops(lease.server.into()));
        }
        if !wanted.open.is_empty() {
            hops.extend(place.gateways());
        }
        // Neighbour discovery is only spoken where something of IPv6 stays.
        let six = hops.iter().any(IpAddr::is_ipv6)
            || wanted.kept.iter().map(|kept| kept.peer).chain(wanted.beat).any(|peer| peer.is_ipv6());
        Self { place, wanted, hops, six }
    }

    /// What is accepted this way.
    pub(super) fn rules(&self, way: Way, layer: Layer) -> Vec<Rule> {
        let mut rules = Vec::new();
        for kept in &self.wanted.kept {
            session(kept, way, &mut rules);
        }
        for port in &self.wanted.open {
            for four in [true, false] {
                let tests = vec![Test::IsV4(four), Test::Protocol(TCP), port_here(way, *port)];
                rules.push(Rule { name: format!("port {port}, open to all"), tests });
            }
        }
        for lease in &self.wanted.leases {
            let (name, server) = (format!("lease of {}", lease.server), lease.server.into());
            // From port 68 to port 67 and back (RFC 2131, section 4.1).
            let tests = vec![
                Test::IsV4(true),
                peer(way, server),
                Test::Protocol(UDP),
                Test::SourcePort(if way == Way::Out { 68 } else { 67 }),
                Test::DestinationPort(if way == Way::Out { 67 } else { 68 }),
            ];
            rules.push(Rule { name, tests });
        }
        // Nothing comes back from the witness.
        if let Some(witness) = self.wanted.beat.filter(|_| way == Way::Out) {
            let tests = vec![
                Test::IsV4(witness.is_ipv4()),
                peer(way, witness),
                Test::Protocol(UDP),
                Test::SourcePort(beat::FROM),
                Test::DestinationPort(PORT),
            ];
            rules.push(Rule { name: format!("signs of life to {witness}"), tests });
        }
        if self.six {
            self.discovery(way, layer, &mut rules);
        }
        rules
    }

    /// ARP with the next hops.
    pub(super) fn arp(&self, way: Way) -> Vec<Rule> {
        let four =
            self.hops.iter().filter_map(|hop| if let IpAddr::V4(hop) = hop { Some(*hop) } else { None });
        four.map(|hop| Rule {
            name: format!("ARP with {hop}"),
            tests: vec![
                Test::EtherType(0x0806),
                if way == Way::In { Test::ArpSender(hop) } else { Test::ArpTarget(hop) },
            ],
        })
        .collect()
    }

    /// Neighbour discovery with the next hops, and the advertisements of their routers.
    fn discovery(&self, way: Way, layer: Layer, rules: &mut Vec<Rule>) {
        let message = |kind: u8| {
            vec![Test::IsV4(false), Test::Protocol(ICMPV6), Test::HopLimit(255), Test::IcmpKind(kind)]
        };
        let membership = |kind: u8, more: Test| Rule {
            name: "group membership for neighbour discovery".to_owned(),
            tests: vec![
                Test::IsV4(false),
                Test::Protocol(ICMPV6),
                Test::HopLimit(1),
                Test::IcmpKind(kind),
                more,
            ],
        };
        rules.push(match way {
            Way::In => membership(WHO_LISTENS, Test::SourceOnLink),
            Way::Out => membership(LISTENS, Test::Destination(ALL_MLD_ROUTERS.into())),
        });
        let six =
            self.hops.iter().filter_map(|hop| if let IpAddr::V6(hop) = hop { Some(*hop) } else { None });
        for hop in six {
            let cards = self.place.hardware(hop.into());
            let name = format!("neighbour discovery with {hop}");
            let mut add = |kind: u8, more: Vec<Test>| {
                rules.push(Rule { name: name.clone(), tests: [message(kind), more].concat() });
            };
            // A router asks from its link-local address too: at a device its card tells that it is the same.
            let others: Vec<Vec<Test>> = match (layer, way) {
                (Layer::Network, Way::In) => vec![vec![Test::SourceOnLink]],
                (Layer::Network, Way::Out) => vec![vec![Test::DestinationOnLink]],
                (Layer::Link, Way::In) => cards.iter().map(|card| vec![Test::EtherSource(*card)]).collect(),
                (Layer::Link, Way::Out) => {
                    cards.iter().map(|card| vec![Test::EtherDestination(*card)]).collect()
                }
            };
            for kind in [SOLICITED, ADVERTISED] {
                add(kind, vec![peer(way, hop.into())]);
                others.iter().for_each(|more| add(kind, more.clone()));
            }
            match way {
                Way::Out => add(SOLICITED, vec![Test::Destination(solicited_node(hop).into())]),
                Way::In if layer == Layer::Network || cards.is_empty() => {
                    add(ADVERTISED_ROUTER, vec![Test::SourceOnLink]);
                }
                Way::In => {
                    cards.iter().for_each(|card| {
                        add(ADVERTISED_ROUTER, vec![Test::SourceOnLink, Test::EtherSource(*card)])
                    });
                }
            }
        }
    }
}

/// The address of a peer on this way.
fn peer(way: Way, address: IpAddr) -> Test {
    if way == Way::In { Test::Source(address) } else { Test::Destination(address) }
}

/// The port of this host on this way.
fn port_here(way: Way, port: u16) -> Test {
    if way == Way::In { Test::DestinationPort(port) } else { Test::SourcePort(port) }
}

/// A kept peer, with the errors that tell how large its packets may be.
fn session(kept: &Kept, way: Way, rules: &mut Vec<Rule>) {
    let name = || format!("kept {kept}");
    let four = kept.peer.is_ipv4();
    let with_peer = vec![Test::IsV4(four), peer(way, kept.peer)];
    let Some(port) = kept.port else {
        rules.push(Rule { name: name(), tests: with_peer });
        return too_big(kept, way, rules);
    };
    let tcp = [with_peer, vec![Test::Protocol(TCP)]].concat();
    rules.push(Rule { name: name(), tests: [tcp.clone(), vec![port_here(way, port)]].concat() });
    if four {
        // The first fragment has passed by its port; the others have none.
        rules.push(Rule { name: name(), tests: [tcp, vec![Test::LaterFragment]].concat() });
    }
    too_big(kept, way, rules);
}

/// "Fragmentation needed" (RFC 792, RFC 1191) and "packet too big" (RFC 4443) of routers on the way to a kept peer.
fn too_big(kept: &Kept, way: Way, rules: &mut Vec<Rule>) {
    if way == Way::Out {
        return;
    }
    let tests = if kept.peer.is_ipv4() {
        vec![
            Test::IsV4(true),
            Test::Protocol(ICMP),
            Test::IcmpKind(3),
            Test::IcmpCode(4),
            Test::ErrorOf(kept.peer),
        ]
    } else {
        vec![Test::IsV4(false), Test::Protocol(ICMPV6), Test::IcmpKind(2), Test::ErrorOf(kept.peer)]
    };
    rules.push(Rule { name: format!("packet sizes on the way to {}", kept.peer), tests });
}

/// The group in which a neighbour listens for questions about its address (RFC 4291, section 2.7.1).
fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]))
}
