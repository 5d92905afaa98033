//! Socket addresses as the bytes the kernel takes: packet(7), ip(7), ipv6(7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `struct sockaddr_ll` for an interface, hearing the protocol (in host byte order); 0 hears nothing.
pub(super) fn link(interface: u32, protocol: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20);
    bytes.extend(u16::try_from(libc::AF_PACKET).unwrap_or(17).to_ne_bytes());
    bytes.extend(protocol.to_be_bytes());
    bytes.extend(interface.to_ne_bytes());
    bytes.resize(20, 0);
    bytes
}

/// What a `struct sockaddr_ll` of a received frame says: its packet type (`PACKET_OUTGOING` and so on).
pub(super) fn packet_type(bytes: &[u8]) -> u8 {
    bytes.get(10).copied().unwrap_or(0)
}

/// `struct sockaddr_in` or `struct sockaddr_in6`.
pub(super) fn internet(address: &SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(28);
    match address {
        SocketAddr::V4(v4) => {
            bytes.extend(2_u16.to_ne_bytes());
            bytes.extend(v4.port().to_be_bytes());
            bytes.extend(v4.ip().octets());
            bytes.resize(16, 0);
        }
        SocketAddr::V6(v6) => {
            bytes.extend(10_u16.to_ne_bytes());
            bytes.extend(v6.port().to_be_bytes());
            bytes.extend(v6.flowinfo().to_be_bytes());
            bytes.extend(v6.ip().octets());
            bytes.extend(v6.scope_id().to_ne_bytes());
        }
    }
    bytes
}

/// The address in such a structure.
pub(super) fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(*bytes.first_chunk::<2>()?);
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk::<2>()?);
    let ip = match i32::from(family) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?)),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back() {
        for text in ["192.0.2.7:53", "[2001:db8::7]:80"] {
            let address_given: SocketAddr = text.parse().unwrap();
            assert_eq!(address(&internet(&address_given)), Some(address_given));
        }
        assert_eq!(link(3, 0x88b5)[2..8], [0x88, 0xb5, 3, 0, 0, 0]);
        assert_eq!(address(&[2, 0, 0]), None);
    }
}
