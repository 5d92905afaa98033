//! Conditions of rules in the field's words, each with what it depends on.

use super::{Base, Compare, Expression, Family, Meta, Rule, Set};
use std::net::IpAddr;

/// Ethernet protocol numbers (`<linux/if_ether.h>`).
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
/// Protocols above IP (`<linux/in.h>`, `<linux/in6.h>`).
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const FRAGMENT: u8 = 44;
const ICMPV6: u8 = 58;
/// Index of the loopback interface in every network namespace (`LOOPBACK_IFINDEX`, `<net/flow.h>` of the kernel).
const LOOPBACK: u32 = 1;

/// Where source and destination stand in both IP headers: RFC 791, RFC 8200.
const SOURCES: (u32, u32) = (12, 8);
const DESTINATIONS: (u32, u32) = (16, 24);

impl Rule {
    /// The loaded value is this one.
    fn is(self, value: &[u8]) -> Self {
        self.then(Expression::Compare(Compare::Equal, value.to_vec()))
    }

    /// What is known of the packet is this.
    pub fn meta(self, key: Meta, value: &[u8]) -> Self {
        let wanted = [Expression::Meta(key), Expression::Compare(Compare::Equal, value.to_vec())];
        if self.expressions.windows(2).any(|pair| pair == wanted) {
            return self;
        }
        self.then(Expression::Meta(key)).is(value)
    }

    /// These bytes of the packet are these, at most 16.
    pub fn payload(self, base: Base, offset: u32, value: &[u8]) -> Self {
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.then(Expression::Payload { base, offset, length }).is(value)
    }

    /// These bytes of the packet are these where `mask` has bits.
    pub fn payload_masked(self, base: Base, offset: u32, mask: &[u8], value: &[u8]) -> Self {
        let length = u32::try_from(mask.len()).unwrap_or(u32::MAX);
        let loaded = self.then(Expression::Payload { base, offset, length });
        loaded.then(Expression::Mask(mask.to_vec())).is(value)
    }

    /// It came in through the loopback interface.
    pub fn from_loopback(self) -> Self {
        self.from_interface(LOOPBACK)
    }

    /// It goes out through the loopback interface.
    pub fn to_loopback(self) -> Self {
        self.to_interface(LOOPBACK)
    }

    /// It came in through the interface with this index.
    pub fn from_interface(self, index: u32) -> Self {
        self.meta(Meta::InputInterface, &index.to_ne_bytes())
    }

    /// It goes out through the interface with this index.
    pub fn to_interface(self, index: u32) -> Self {
        self.meta(Meta::OutputInterface, &index.to_ne_bytes())
    }

    /// It is IPv4.
    pub fn ipv4(self) -> Self {
        self.network(2, IPV4)
    }

    /// It is IPv6.
    pub fn ipv6(self) -> Self {
        self.network(10, IPV6)
    }

    fn network(self, family: u8, protocol: u16) -> Self {
        match self.family {
            Family::Ip | Family::Ip6 | Family::Arp => self,
            Family::Inet => self.meta(Meta::Family, &[family]),
            Family::Netdev | Family::Bridge => self.protocol(protocol),
        }
    }

    /// The kernel takes it for a packet of this Ethernet protocol. A packet socket says so itself: see
    /// [`Rule::ether_type`].
    pub fn protocol(self, number: u16) -> Self {
        self.meta(Meta::Protocol, &number.to_be_bytes())
    }

    /// To whom it is sent (packet(7)): 0 this host, 1 all, 2 a group, 3 another host.
    pub fn packet_type(self, number: u8) -> Self {
        self.meta(Meta::PacketType, &[number])
    }

    /// The protocol above IP, behind IPv6 extension headers too.
    pub fn transport(self, protocol: u8) -> Self {
        self.meta(Meta::Transport, &[protocol])
    }

    /// It is TCP.
    pub fn tcp(self) -> Self {
        self.transport(TCP)
    }

    /// It is UDP.
    pub fn udp(self) -> Self {
        self.transport(UDP)
    }

    /// Its IP source is in this network.
    pub fn source(self, network: IpAddr, prefix: u8) -> Self {
        self.address(SOURCES, network, prefix)
    }

    /// Its IP destination is in this network.
    pub fn destination(self, network: IpAddr, prefix: u8) -> Self {
        self.address(DESTINATIONS, network, prefix)
    }

    fn address(self, (offset4, offset6): (u32, u32), network: IpAddr, prefix: u8) -> Self {
        let (rule, offset, bytes) = match network {
            IpAddr::V4(address) => (self.ipv4(), offset4, address.octets().to_vec()),
            IpAddr::V6(address) => (self.ipv6(), offset6, address.octets().to_vec()),
        };
        let mask = mask(prefix, bytes.len());
        if mask.iter().all(|byte| *byte == 0xff) {
            return rule.payload(Base::Network, offset, &bytes);
        }
        let bytes: Vec<u8> = bytes.iter().zip(&mask).map(|(byte, mask)| byte & mask).collect();
        rule.payload_masked(Base::Network, offset, &mask, &bytes)
    }

    /// Its IPv4 or IPv6 source, by the length of the set's keys, is in the set.
    pub fn source_in(self, set: &Set) -> Self {
        self.address_in(SOURCES, set)
    }

    /// Its IPv4 or IPv6 destination, by the length of the set's keys, is in the set.
    pub fn destination_in(self, set: &Set) -> Self {
        self.address_in(DESTINATIONS, set)
    }

    fn address_in(self, (offset4, offset6): (u32, u32), set: &Set) -> Self {
        let length = set.key.length();
        let (rule, offset) = if length == 4 { (self.ipv4(), offset4) } else { (self.ipv6(), offset6) };
        rule.then(Expression::Payload { base: Base::Network, offset, length }).in_set(set)
    }

    /// The loaded value is in the set.
    pub fn in_set(self, set: &Set) -> Self {
        self.then(Expression::Lookup(set.name.clone(), set.id, false))
    }

    /// Its source port: of TCP, UDP and their like, which are to be asked for before.
    pub fn source_port(self, port: u16) -> Self {
        self.payload(Base::Transport, 0, &port.to_be_bytes())
    }

    /// Its destination port.
    pub fn destination_port(self, port: u16) -> Self {
        self.payload(Base::Transport, 2, &port.to_be_bytes())
    }

    /// ICMP of this type and, if given, code (RFC 792).
    pub fn icmp(self, kind: u8, code: Option<u8>) -> Self {
        self.ipv4().transport(ICMP).kind(kind, code)
    }

    /// ICMPv6 of this type and, if given, code (RFC 4443, RFC 4861).
    pub fn icmpv6(self, kind: u8, code: Option<u8>) -> Self {
        self.ipv6().transport(ICMPV6).kind(kind, code)
    }

    fn kind(self, kind: u8, code: Option<u8>) -> Self {
        let rule = self.payload(Base::Transport, 0, &[kind]);
        match code {
            Some(code) => rule.payload(Base::Transport, 1, &[code]),
            None => rule,
        }
    }

    /// The hop limit (RFC 8200) or time to live (RFC 791) is this: neighbour discovery must come with 255.
    pub fn hops(self, v6: bool, number: u8) -> Self {
        let (rule, offset) = if v6 { (self.ipv6(), 7) } else { (self.ipv4(), 8) };
        rule.payload(Base::Network, offset, &[number])
    }

    /// A fragment of IPv4 after the first: no ports can be seen in it.
    pub fn later_fragment4(self) -> Self {
        let load = Expression::Payload { base: Base::Network, offset: 6, length: 2 };
        let rule = self.ipv4().then(load).then(Expression::Mask(vec![0x1f, 0xff]));
        rule.then(Expression::Compare(Compare::Differs, vec![0, 0]))
    }

    /// A fragment of IPv6 after the first.
    pub fn later_fragment6(self) -> Self {
        let load = Expression::Extension { header: FRAGMENT, offset: 2, length: 2 };
        let rule = self.ipv6().then(load).then(Expression::Mask(vec![0xff, 0xf8]));
        rule.then(Expression::Compare(Compare::Differs, vec![0, 0]))
    }

    /// It came in through an Ethernet interface, so that it has an Ethernet header.
    pub fn from_ethernet(self) -> Self {
        self.meta(Meta::InputKind, &1_u16.to_ne_bytes())
    }

    /// It goes out through an Ethernet interface.
    pub fn to_ethernet(self) -> Self {
        self.meta(Meta::OutputKind, &1_u16.to_ne_bytes())
    }

    /// Its Ethernet destination.
    pub fn ether_destination(self, address: [u8; 6]) -> Self {
        self.payload(Base::Link, 0, &address)
    }

    /// Its Ethernet source.
    pub fn ether_source(self, address: [u8; 6]) -> Self {
        self.payload(Base::Link, 6, &address)
    }

    /// The type that stands in the Ethernet header.
    pub fn ether_type(self, number: u16) -> Self {
        self.payload(Base::Link, 12, &number.to_be_bytes())
    }

    /// ARP for IPv4 over Ethernet with this operation: 1 asks, 2 answers (RFC 826).
    pub fn arp(self, operation: u8) -> Self {
        let rule = if self.family == Family::Arp { self } else { self.protocol(ARP) };
        rule.payload(Base::Network, 0, &[0, 1, 8, 0, 6, 4, 0, operation])
    }

    /// The IPv4 address of who sends the ARP message.
    pub fn arp_sender(self, address: std::net::Ipv4Addr) -> Self {
        self.payload(Base::Network, 14, &address.octets())
    }

    /// The IPv4 address that the ARP message is about.
    pub fn arp_target(self, address: std::net::Ipv4Addr) -> Self {
        self.payload(Base::Network, 24, &address.octets())
    }
}

/// The first `prefix` bits of so many bytes.
fn mask(prefix: u8, length: usize) -> Vec<u8> {
    let mut left = u32::from(prefix);
    let byte = || {
        let bits = left.min(8);
        left -= bits;
        u8::try_from(0xff00_u32 >> bits & 0xff).unwrap_or(0)
    };
    std::iter::repeat_with(byte).take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_have_as_many_bits_as_said() {
        assert_eq!(mask(0, 2), [0, 0]);
        assert_eq!(mask(9, 3), [0xff, 0x80, 0]);
        assert_eq!(mask(32, 4), [0xff; 4]);
        assert_eq!(mask(200, 2), [0xff; 2]);
    }

    #[test]
    fn what_a_condition_depends_on_comes_once() {
        let address = "192.0.2.1".parse().unwrap();
        let rule = Rule::new(Family::Inet).source(address, 32).destination(address, 24).tcp().tcp();
        let metas = rule.expressions.iter().filter(|one| matches!(one, Expression::Meta(_))).count();
        assert_eq!(metas, 2);
        let masked = Expression::Compare(Compare::Equal, vec![192, 0, 2, 0]);
        assert!(rule.expressions.contains(&masked));
    }
}
