//! Ethernet frames down to the ports of what they carry: IEEE 802.3, 802.1Q, RFC 826, RFC 791, RFC 8200, RFC 4861.

use crate::Format;
use crate::netlink::{address, be16_at};
use std::net::IpAddr;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "ethernet",
    doc: "Ethernet frames with the ARP, IP, TCP, UDP and ICMP headers in them.",
    manual: "IEEE 802.3 and 802.1Q, RFC 791, RFC 826, RFC 4861, RFC 8200, RFC 9293, packet(7)",
    samples: &[
        // UDP 192.0.2.1:5353 to 203.0.113.9:53 carrying "ab".
        b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0\x45\0\0\x1e\0\0\x40\0\x40\x11\0\0\xc0\0\x02\x01\xcb\0\x71\x09\x14\xe9\0\x35\0\x0a\0\0ab",
        // ARP: who has 192.0.2.2, tell 192.0.2.1.
        b"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01\x08\x06\0\x01\x08\0\x06\x04\0\x01\x02\0\0\0\0\x01\xc0\0\x02\x01\0\0\0\0\0\0\xc0\0\x02\x02",
        // Tagged: ICMPv6 neighbour solicitation behind a hop-by-hop header.
        b"\x33\x33\xff\0\0\x02\x02\0\0\0\0\x01\x81\0\0\x05\x86\xdd\x60\0\0\0\0\x10\0\xff\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff\0\0\x02\x3a\0\x05\x02\0\0\0\0\x87\0\0\0\0\0\0\0",
    ],
    feed: |bytes| _ = frame(bytes),
};

/// Most VLAN tags and most IPv6 extension headers that are passed over.
const NESTED: usize = 8;

/// A hardware address.
pub type Mac = [u8; 6];

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Where it goes.
    pub destination: Mac,
    /// Where it says it comes from.
    pub source: Mac,
    /// Protocol behind the tags; below 0x600 a length (IEEE 802.3).
    pub protocol: u16,
    /// Whether there are VLAN tags in it.
    pub tagged: bool,
    /// What it carries.
    pub carries: Carries<'a>,
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries<'a> {
    /// An ARP packet.
    Arp(Arp<'a>),
    /// An IP packet.
    Ip(Packet<'a>),
    /// Something else, or what does not parse as what it says it is.
    Other(&'a [u8]),
}

/// An ARP packet for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp<'a> {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// The sender's hardware address.
    pub sender: Mac,
    /// The sender's address.
    pub sender_address: IpAddr,
    /// The address it is about.
    pub target_address: IpAddr,
    /// What follows: padding, in an honest frame.
    pub rest: &'a [u8],
}

/// An IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Where it says it comes from.
    pub source: IpAddr,
    /// Where it goes.
    pub destination: IpAddr,
    /// Protocol behind the extension headers.
    pub protocol: u8,
    /// Hops it has left.
    pub hops: u8,
    /// Whether it is part of a larger one.
    pub fragment: bool,
    /// Source and destination port of TCP, UDP, SCTP and DCCP; none in a later fragment.
    pub ports: Option<(u16, u16)>,
    /// Type and code of ICMP.
    pub icmp: Option<(u8, u8)>,
    /// Flags of TCP: 2 SYN, 16 ACK.
    pub flags: u8,
    /// What follows the IP header and its extensions.
    pub payload: &'a [u8],
}

/// Takes a frame apart. `None` where there is not even an Ethernet header.
pub fn frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let (destination, rest) = bytes.split_first_chunk::<6>()?;
    let (source, mut rest) = rest.split_first_chunk::<6>()?;
    let mut protocol = be16_at(rest, 0)?;
    let mut tagged = false;
    rest = rest.get(2..)?;
    for _ in 0..NESTED {
        // 802.1Q and 802.1ad tags: two bytes of tag, then the next protocol.
        if !matches!(protocol, 0x8100 | 0x88a8 | 0x9100) {
            break;
        }
        tagged = true;
        let Some(next) = be16_at(rest, 2) else { break };
        protocol = next;
        rest = rest.get(4..).unwrap_or_default();
    }
    let parsed = match protocol {
        0x0806 => arp(rest).map(Carries::Arp),
        0x0800 => four(rest).map(Carries::Ip),
        0x86dd => six(rest).map(Carries::Ip),
        _ => None,
    };
    let carries = parsed.unwrap_or(Carries::Other(rest));
    Some(Frame { destination: *destination, source: *source, protocol, tagged, carries })
}

fn arp(bytes: &[u8]) -> Option<Arp<'_>> {
    // Ethernet, IPv4, addresses of 6 and 4 bytes.
    if bytes.get(..6)? != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    Some(Arp {
        operation: be16_at(bytes, 6)?,
        sender: *bytes.get(8..)?.first_chunk::<6>()?,
        sender_address: address(bytes.get(14..)?, 2)?,
        target_address: address(bytes.get(24..)?, 2)?,
        rest: bytes.get(28..).unwrap_or_default(),
    })
}

fn four(bytes: &[u8]) -> Option<Packet<'_>> {
    let first = *bytes.first()?;
    let header = usize::from(first & 15) * 4;
    if first >> 4 != 4 || header < 20 {
        return None;
    }
    let piece = be16_at(bytes, 6)?;
    let (more, offset) = (piece & 0x2000 != 0, piece & 0x1fff);
    // Padding of a short frame does not belong to the packet.
    let total = usize::from(be16_at(bytes, 2)?);
    let whole = bytes.get(..total.min(bytes.len())).filter(|whole| whole.len() >= header).unwrap_or(bytes);
    let packet = Packet {
        source: address(bytes.get(12..)?, 2)?,
        destination: address(bytes.get(16..)?, 2)?,
        protocol: *bytes.get(9)?,
        hops: *bytes.get(8)?,
        fragment: more || offset > 0,
        ports: None,
        icmp: None,
        flags: 0,
        payload: whole.get(header..)?,
    };
    Some(if offset > 0 { packet } else { inner(packet) })
}

fn six(bytes: &[u8]) -> Option<Packet<'_>> {
    if bytes.first()? >> 4 != 6 {
        return None;
    }
    let mut packet = Packet {
        source: address(bytes.get(8..)?, 10)?,
        destination: address(bytes.get(24..)?, 10)?,
        protocol: *bytes.get(6)?,
        hops: *bytes.get(7)?,
        fragment: false,
        ports: None,
        icmp: None,
        flags: 0,
        payload: bytes.get(40..)?,
    };
    for _ in 0..NESTED {
        let rest = packet.payload;
        let length = match packet.protocol {
            // Hop-by-hop, routing and destination options: next header, length in units of 8 bytes beyond the first.
            0 | 43 | 60 => (usize::from(rest.get(1).copied().unwrap_or(0)) + 1) * 8,
            // Authentication header: length in units of 4 bytes, less two.
            51 => (usize::from(rest.get(1).copied().unwrap_or(0)) + 2) * 4,
            44 => 8,
            _ => break,
        };
        let (Some(next), Some(after)) = (rest.first(), rest.get(length..)) else { return Some(packet) };
        if packet.protocol == 44 {
            packet.fragment = true;
            if be16_at(rest, 2).is_some_and(|piece| piece & 0xfff8 != 0) {
                (packet.protocol, packet.payload) = (*next, after);
                return Some(packet);
            }
        }
        (packet.protocol, packet.payload) = (*next, after);
    }
    Some(inner(packet))
}

/// The first header behind IP.
fn inner(mut packet: Packet<'_>) -> Packet<'_> {
    let bytes = packet.payload;
    match packet.protocol {
        6 | 17 | 33 | 132 => {
            packet.ports = be16_at(bytes, 0).zip(be16_at(bytes, 2));
            if packet.protocol == 6 {
                packet.flags = bytes.get(13).copied().unwrap_or(0);
            }
        }
        1 | 58 => packet.icmp = bytes.first().copied().zip(bytes.get(1).copied()),
        _ => {}
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_read() {
        let [udp, arp, tagged] = [0, 1, 2].map(|n| frame(FORMAT.samples[n]).unwrap());
        let Carries::Ip(packet) = udp.carries else { panic!("{udp:?}") };
        assert_eq!((packet.protocol, packet.ports), (17, Some((5353, 53))));
        assert_eq!((packet.destination.to_string(), packet.payload.len()), ("203.0.113.9".to_owned(), 10));
        let Carries::Arp(arp) = arp.carries else { panic!("{arp:?}") };
        assert_eq!((arp.operation, arp.sender), (1, [2, 0, 0, 0, 0, 1]));
        assert_eq!((arp.target_address.to_string(), arp.rest.len()), ("192.0.2.2".to_owned(), 0));
        let Carries::Ip(packet) = tagged.carries else { panic!("{tagged:?}") };
        assert!(tagged.tagged);
        assert_eq!((packet.protocol, packet.icmp, packet.hops), (58, Some((0x87, 0)), 255));
    }

    #[test]
    fn later_fragments_have_no_ports_and_lies_are_other() {
        let mut bytes = FORMAT.samples[0].to_vec();
        bytes[20..22].copy_from_slice(&[0, 4]);
        let Carries::Ip(packet) = frame(&bytes).unwrap().carries else { panic!() };
        assert!(packet.fragment && packet.ports.is_none());
        bytes[14] = 0x44;
        assert!(matches!(frame(&bytes).unwrap().carries, Carries::Other(_)));
        assert_eq!(frame(&bytes[..13]), None);
    }
}
