//! Canaries as whole frames: Ethernet (IEEE 802.3), IPv4 (RFC 791), UDP (RFC 768).

use calma_formats::ethernet::Mac;
use calma_host::wire::checksum;
use std::net::Ipv4Addr;

/// To everybody on the link.
pub(super) const EVERYBODY: Mac = [0xff; 6];
/// A protocol number for local experiments (IEEE 802, "local experimental EtherType 1").
const EXPERIMENT: u16 = 0x88b5;
/// Shortest frame without its check sequence.
const SHORTEST: usize = 60;

/// A frame of no known protocol.
pub(super) fn plain(to: Mac, from: Mac, carries: &[u8]) -> Vec<u8> {
    frame(to, from, EXPERIMENT, carries)
}

/// A datagram as a whole frame.
pub(super) fn datagram(
    (to, from): (Mac, Mac),
    (source, destination): (Ipv4Addr, Ipv4Addr),
    port: u16,
    carries: &[u8],
) -> Vec<u8> {
    let length = u16::try_from(28 + carries.len()).unwrap_or(u16::MAX);
    // Version 4, header of 20 bytes, do not fragment, 64 hops, UDP.
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    let sum = checksum(&packet).to_be_bytes();
    packet.splice(10..12, sum);
    packet.extend(port.to_be_bytes());
    packet.extend(port.to_be_bytes());
    packet.extend(length.saturating_sub(20).to_be_bytes());
    // No checksum: IPv4 allows it (RFC 768).
    packet.extend([0, 0]);
    packet.extend(carries);
    frame(to, from, 0x0800, &packet)
}

fn frame(to: Mac, from: Mac, protocol: u16, carries: &[u8]) -> Vec<u8> {
    let mut bytes = [to, from].concat();
    bytes.extend(protocol.to_be_bytes());
    bytes.extend(carries);
    bytes.resize(bytes.len().max(SHORTEST), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_formats::ethernet::{Carries, frame as parse};

    #[test]
    fn frames_are_what_the_parser_reads() {
        let (to, from) = ([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1]);
        let (here, there) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(203, 0, 113, 1));
        let bytes = datagram((to, from), (here, there), 20_919, b"carried");
        assert_eq!(checksum(&bytes[14..34]), 0);
        let frame = parse(&bytes).unwrap();
        let Carries::Ip(packet) = frame.carries else { panic!("{frame:?}") };
        assert_eq!((packet.source, packet.destination), (here.into(), there.into()));
        assert_eq!((packet.ports, &packet.payload[8..]), (Some((20_919, 20_919)), &b"carried"[..]));
        let bytes = plain(EVERYBODY, from, b"x");
        assert_eq!((bytes.len(), parse(&bytes).unwrap().protocol), (60, EXPERIMENT));
    }
}
