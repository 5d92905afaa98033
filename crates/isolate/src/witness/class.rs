//! What a frame from the suspect is: exactly one class each.

use super::suspect::belongs;
use crate::Kept;
use calma_formats::ethernet::{Arp, Carries, Frame, Packet};
use std::fmt;

/// What a class is to a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The administrator's own session.
    Kept,
    /// What keeps that session alive: next hop's address, the link's own protocols, the lease. Level 2 has none of it.
    Upkeep,
    /// Anything else: something got out.
    Leak,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the table below says what each is")]
pub enum Class {
    Kept,
    PathMtu,
    Arp,
    Neighbour,
    LinkLevel,
    Dhcp,
    Beat,
    ArpOdd,
    Tcp4,
    Udp4,
    Icmp4,
    Other4,
    Tcp6,
    Udp6,
    Icmp6,
    Other6,
    OtherProtocol,
}

/// Every class: its name, what it is to a verdict, and what it is in words.
const TABLE: &[(Class, &str, Part, &str)] = &[
    (Class::Kept, "kept", Part::Kept, "your own session"),
    (Class::PathMtu, "path-mtu", Part::Upkeep, "packet-size messages to your own session's peer"),
    (Class::Arp, "arp", Part::Upkeep, "well-formed questions for neighbours (ARP)"),
    (Class::Neighbour, "nd", Part::Upkeep, "neighbour discovery (IPv6)"),
    (Class::LinkLevel, "link-level", Part::Upkeep, "the link's own protocols (LLDP, STP, LACP, 802.1X)"),
    (Class::Dhcp, "dhcp", Part::Upkeep, "renewal of the address (DHCP)"),
    (Class::Beat, "beat", Part::Upkeep, "signs of life of the guard, with the right code"),
    (Class::ArpOdd, "arp-odd", Part::Leak, "ARP that carries more than a question or answer"),
    (Class::Tcp4, "tcp4", Part::Leak, "TCP over IPv4"),
    (Class::Udp4, "udp4", Part::Leak, "UDP over IPv4"),
    (Class::Icmp4, "icmp4", Part::Leak, "ICMP over IPv4"),
    (Class::Other4, "other4", Part::Leak, "another protocol over IPv4"),
    (Class::Tcp6, "tcp6", Part::Leak, "TCP over IPv6"),
    (Class::Udp6, "udp6", Part::Leak, "UDP over IPv6"),
    (Class::Icmp6, "icmp6", Part::Leak, "ICMP over IPv6"),
    (Class::Other6, "other6", Part::Leak, "another protocol over IPv6"),
    (Class::OtherProtocol, "other", Part::Leak, "frames of another protocol"),
];

impl Class {
    fn line(self) -> Option<&'static (Self, &'static str, Part, &'static str)> {
        TABLE.iter().find(|(class, ..)| *class == self)
    }

    /// Every class.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(class, ..)| *class)
    }

    /// Its name in records.
    pub fn name(self) -> &'static str {
        self.line().map_or("", |(_, name, ..)| *name)
    }

    /// The class of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|(_, own, ..)| *own == name).map(|(class, ..)| *class)
    }

    /// What it is to a verdict.
    pub fn part(self) -> Part {
        self.line().map_or(Part::Leak, |(_, _, part, _)| *part)
    }

    /// What it is in words.
    pub fn words(self) -> &'static str {
        self.line().map_or("", |(.., words)| *words)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Longest padding of a frame: an ARP packet filled up to the shortest frame of 60 bytes.
const PADDING: usize = 18;
/// Hops of a packet that no router has passed on (RFC 4861, section 7.1).
const UNROUTED: u8 = 255;

/// The class of a frame.
pub(super) fn class(frame: &Frame<'_>, kept: &[Kept]) -> Class {
    match &frame.carries {
        Carries::Arp(arp) if is_plain(arp, frame) => Class::Arp,
        Carries::Arp(_) => Class::ArpOdd,
        Carries::Ip(packet) => of_packet(packet, kept),
        // Reserved group addresses of bridges (IEEE 802.1Q, table 8-1): no bridge passes them on. EAPOL: 0x888e.
        Carries::Other(_) if frame.destination.starts_with(&[1, 0x80, 0xc2, 0, 0]) => Class::LinkLevel,
        Carries::Other(_) if frame.protocol == 0x888e => Class::LinkLevel,
        Carries::Other(_) if frame.protocol == 0x0806 => Class::ArpOdd,
        Carries::Other(_) if frame.protocol == 0x0800 => Class::Other4,
        Carries::Other(_) if frame.protocol == 0x86dd => Class::Other6,
        Carries::Other(_) => Class::OtherProtocol,
    }
}

/// A question or answer without room for anything else.
fn is_plain(arp: &Arp<'_>, frame: &Frame<'_>) -> bool {
    matches!(arp.operation, 1 | 2)
        && arp.sender == frame.source
        && arp.rest.len() <= PADDING
        && arp.rest.iter().all(|byte| *byte == 0)
}

fn of_packet(packet: &Packet<'_>, kept: &[Kept]) -> Class {
    if kept.iter().any(|kept| belongs(packet, kept)) {
        return Class::Kept;
    }
    let to_peer = kept.iter().any(|kept| kept.peer == packet.destination);
    match (packet.source.is_ipv4(), packet.protocol, packet.ports, packet.icmp) {
        // Fragmentation needed; packet too big.
        (true, 1, _, Some((3, 4))) | (false, 58, _, Some((2, 0))) if to_peer => Class::PathMtu,
        (true, 17, Some((68, 67)), _) | (false, 17, Some((546, 547)), _) => Class::Dhcp,
        (false, 58, _, Some((133 | 135 | 136, 0))) if packet.hops == UNROUTED => Class::Neighbour,
        (true, 6, ..) => Class::Tcp4,
        (true, 17, ..) => Class::Udp4,
        (true, 1, ..) => Class::Icmp4,
        (true, ..) => Class::Other4,
        (false, 6, ..) => Class::Tcp6,
        (false, 17, ..) => Class::Udp6,
        (false, 58, ..) => Class::Icmp6,
        (false, ..) => Class::Other6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_formats::ethernet::frame;

    const FROM: [u8; 6] = [2, 0, 0, 0, 0, 1];

    fn ethernet(protocol: u16, carries: &[u8]) -> Vec<u8> {
        let mut bytes = [[2, 0, 0, 0, 0, 2], FROM].concat();
        bytes.extend(protocol.to_be_bytes());
        bytes.extend(carries);
        bytes
    }

    fn four(protocol: u8, to: [u8; 4], rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(20 + rest.len()).unwrap().to_be_bytes();
        let head = [0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1];
        ethernet(0x0800, &[&head, to.as_slice(), rest].concat())
    }

    fn six(protocol: u8, hops: u8, rest: &[u8]) -> Vec<u8> {
        let head = [0x60, 0, 0, 0, 0, rest.len() as u8, protocol, hops];
        ethernet(0x86dd, &[head.as_slice(), &[0xfe; 16], &[0xff; 16], rest].concat())
    }

    fn arp(rest: &[u8]) -> Vec<u8> {
        let head = [0, 1, 8, 0, 6, 4, 0, 1];
        ethernet(0x0806, &[head.as_slice(), &FROM, &[192, 0, 2, 1], &[0; 6], &[192, 0, 2, 2], rest].concat())
    }

    #[test]
    fn each_frame_has_the_class_it_should() {
        let kept = ["192.0.2.9:22", "192.0.2.11"].map(|word| word.parse().unwrap());
        let (peer, other) = ([192, 0, 2, 9], [203, 0, 113, 9]);
        let ports = |from: u16, to: u16| [from.to_be_bytes(), to.to_be_bytes()].concat();
        let mut eapol = ethernet(0x888e, &[2, 0]);
        let table: &[(Vec<u8>, Class)] = &[
            (four(6, peer, &ports(22, 51_514)), Class::Kept),
            (four(6, peer, &ports(23, 51_514)), Class::Tcp4),
            (four(6, other, &ports(22, 51_514)), Class::Tcp4),
            (four(17, peer, &ports(22, 51_514)), Class::Udp4),
            (four(17, [192, 0, 2, 11], &ports(5, 6)), Class::Kept),
            (four(1, peer, &[3, 4, 0, 0]), Class::PathMtu),
            (four(1, other, &[3, 4, 0, 0]), Class::Icmp4),
            (four(1, peer, &[8, 0, 0, 0]), Class::Icmp4),
            (four(17, other, &ports(68, 67)), Class::Dhcp),
            (four(17, other, &ports(68, 53)), Class::Udp4),
            (four(132, other, &[0; 12]), Class::Other4),
            (six(58, 255, &[135, 0, 0, 0]), Class::Neighbour),
            (six(58, 64, &[135, 0, 0, 0]), Class::Icmp6),
            (six(58, 255, &[143, 0, 0, 0]), Class::Icmp6),
            (six(6, 64, &ports(1, 2)), Class::Tcp6),
            (six(99, 64, &[]), Class::Other6),
            (arp(&[0; 18]), Class::Arp),
            (arp(b"\0\0secret"), Class::ArpOdd),
            (arp(&[0; 19]), Class::ArpOdd),
            (ethernet(0x88b5, b"x"), Class::OtherProtocol),
            (ethernet(0x0800, b"x"), Class::Other4),
            (eapol.clone(), Class::LinkLevel),
        ];
        for (bytes, expected) in table {
            assert_eq!(class(&frame(bytes).unwrap(), &kept), *expected, "{bytes:02x?}");
        }
        // ARP in another's name.
        eapol[12..14].copy_from_slice(&[8, 6]);
        assert_eq!(class(&frame(&eapol).unwrap(), &kept), Class::ArpOdd);
        for one in Class::all() {
            assert_eq!(Class::from_name(one.name()), Some(one));
        }
    }
}
