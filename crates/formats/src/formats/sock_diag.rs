//! Sockets as the kernel dumps them: sock_diag(7).

use crate::{Format, classic_bpf, classic_bpf::Instruction, netlink};
use calma_record::Text;
use std::net::IpAddr;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "sock_diag",
    doc: "Sockets of each family as sock_diag dumps them.",
    manual: "sock_diag(7), <linux/{inet,unix,packet,netlink,vm_sockets,xdp}_diag.h>",
    samples: &[
        b"\x02\x0a\0\0\0\x16\0\0\x7f\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x39\x30\0\0",
        b"\x01\x01\x0a\0\x39\x30\0\0\0\0\0\0\0\0\0\0\x09\0\0\0\0abcd\0\0\0\x08\0\x02\0\x05\0\0\0",
        b"\x11\x03\x03\0\x39\x30\0\0\0\0\0\0\0\0\0\0\x18\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0c\0\x07\0\x06\0\0\0\0\0\x04\0",
    ],
    feed: |bytes| {
        _ = (inet(bytes), unix(bytes), packet(bytes));
        _ = (netlink(bytes), vsock(bytes), xdp(bytes));
    },
};

/// A TCP, UDP or raw socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inet {
    /// Address family: 2 or 10.
    pub family: u8,
    /// State as of `<net/tcp_states.h>`: 1 established, 3 SYN received, 6 TIME_WAIT, 7 closed (UDP: not connected), 10 listening.
    pub state: u8,
    /// Own address.
    pub local: IpAddr,
    /// Own port; of a raw socket the IP protocol number.
    pub local_port: u16,
    /// Peer's address.
    pub remote: IpAddr,
    /// Peer's port.
    pub remote_port: u16,
    /// Interface it is bound to, 0 if to none.
    pub interface: u32,
    /// Owner's user id.
    pub uid: u32,
    /// Inode number, 0 if no open file stands for it.
    pub inode: u32,
}

/// `struct inet_diag_msg`.
pub fn inet(body: &[u8]) -> Option<Inet> {
    let family = *body.first()?;
    Some(Inet {
        family,
        state: *body.get(1)?,
        local_port: netlink::be16_at(body, 4)?,
        remote_port: netlink::be16_at(body, 6)?,
        local: netlink::address(body.get(8..24)?, family)?,
        remote: netlink::address(body.get(24..40)?, family)?,
        interface: netlink::u32_at(body, 40)?,
        uid: netlink::u32_at(body, 64)?,
        inode: netlink::u32_at(body, 68)?,
    })
}

/// A Unix domain socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unix {
    /// 1 stream, 2 datagram, 5 sequenced packets.
    pub kind: u8,
    /// State as for [`Inet::state`].
    pub state: u8,
    /// Inode number.
    pub inode: u32,
    /// Inode number of the peer.
    pub peer: Option<u32>,
    /// Path, or `@` and the abstract name (unix(7)).
    pub name: Text,
    /// Owner's user id, where the kernel says.
    pub uid: Option<u32>,
}

/// `struct unix_diag_msg` with `UNIX_DIAG_NAME`, `UNIX_DIAG_PEER` and `UNIX_DIAG_UID`.
pub fn unix(body: &[u8]) -> Option<Unix> {
    let mut socket = Unix {
        kind: *body.get(1)?,
        state: *body.get(2)?,
        inode: netlink::u32_at(body, 4)?,
        ..Unix::default()
    };
    for (kind, value) in netlink::attributes_after(body, 16) {
        match kind {
            0 => {
                socket.name = match value.strip_prefix(b"\0") {
                    Some(rest) => {
                        let shown = rest.iter().map(|b| if *b == 0 { b'@' } else { *b });
                        std::iter::once(b'@').chain(shown).collect::<Vec<u8>>().into()
                    }
                    None => netlink::string(value).into(),
                }
            }
            2 => socket.peer = netlink::u32_at(value, 0),
            7 => socket.uid = netlink::u32_at(value, 0),
            _ => {}
        }
    }
    Some(socket)
}

/// A packet socket (packet(7)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// 2 datagram (without link header), 3 raw.
    pub kind: u8,
    /// Ethernet protocol number, 3 for all.
    pub protocol: u16,
    /// Inode number.
    pub inode: u32,
    /// Interface it is bound to, 0 for all.
    pub interface: u32,
    /// Owner's user id, where the kernel says.
    pub uid: Option<u32>,
    /// The attached classic BPF filter; `None` if there is none or the kernel does not show it.
    pub filter: Option<Vec<Instruction>>,
}

/// `struct packet_diag_msg` with `PACKET_DIAG_INFO`, `PACKET_DIAG_UID` and `PACKET_DIAG_FILTER`.
pub fn packet(body: &[u8]) -> Option<Packet> {
    let mut socket = Packet {
        kind: *body.get(1)?,
        protocol: netlink::u16_at(body, 2)?,
        inode: netlink::u32_at(body, 4)?,
        ..Packet::default()
    };
    for (kind, value) in netlink::attributes_after(body, 16) {
        match kind {
            0 => socket.interface = netlink::u32_at(value, 0)?,
            5 => socket.uid = netlink::u32_at(value, 0),
            7 if !value.is_empty() => socket.filter = Some(classic_bpf::instructions(value)),
            _ => {}
        }
    }
    Some(socket)
}

/// A netlink socket (netlink(7)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Netlink {
    /// Netlink protocol.
    pub protocol: u8,
    /// Port, usually the process id; 0 for the kernel's own.
    pub port: u32,
    /// Inode number.
    pub inode: u32,
}

/// `struct netlink_diag_msg`.
pub fn netlink(body: &[u8]) -> Option<Netlink> {
    Some(Netlink {
        protocol: *body.get(2)?,
        port: netlink::u32_at(body, 4)?,
        inode: netlink::u32_at(body, 16)?,
    })
}

/// A socket between a virtual machine and its host (vsock(7)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vsock {
    /// State as for [`Inet::state`].
    pub state: u8,
    /// Own context id and port.
    pub local: (u32, u32),
    /// Peer's context id and port.
    pub remote: (u32, u32),
    /// Inode number.
    pub inode: u32,
}

/// `struct vsock_diag_msg`.
pub fn vsock(body: &[u8]) -> Option<Vsock> {
    let word = |at| netlink::u32_at(body, at);
    Some(Vsock {
        state: *body.get(2)?,
        local: (word(4)?, word(8)?),
        remote: (word(12)?, word(16)?),
        inode: word(20)?,
    })
}

/// An express data path socket (AF_XDP).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Xdp {
    /// Inode number.
    pub inode: u32,
    /// Interface, 0 if bound to none.
    pub interface: u32,
    /// Owner's user id, where the kernel says.
    pub uid: Option<u32>,
}

/// `struct xdp_diag_msg` with `XDP_DIAG_INFO` and `XDP_DIAG_UID`.
pub fn xdp(body: &[u8]) -> Option<Xdp> {
    let mut socket = Xdp { inode: netlink::u32_at(body, 4)?, ..Xdp::default() };
    for (kind, value) in netlink::attributes_after(body, 16) {
        match kind {
            1 => socket.interface = netlink::u32_at(value, 0)?,
            2 => socket.uid = netlink::u32_at(value, 0),
            _ => {}
        }
    }
    Some(socket)
}

/// Name of a state number of `<net/tcp_states.h>`.
pub fn state_name(state: u8) -> &'static str {
    match state {
        1 => "established",
        2 => "syn-sent",
        3 | 12 => "syn-received",
        4 => "fin-wait-1",
        5 => "fin-wait-2",
        6 => "time-wait",
        7 => "closed",
        8 => "close-wait",
        9 => "last-ack",
        10 => "listen",
        11 => "closing",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_read() {
        let socket = inet(FORMAT.samples[0]).unwrap();
        assert_eq!((socket.local.to_string().as_str(), socket.local_port), ("127.0.0.1", 22));
        assert_eq!((state_name(socket.state), socket.inode), ("listen", 12345));
        let socket = unix(FORMAT.samples[1]).unwrap();
        assert_eq!((socket.name, socket.peer), ("@abcd".into(), Some(5)));
        let socket = packet(FORMAT.samples[2]).unwrap();
        assert_eq!((socket.protocol, socket.interface, socket.filter.unwrap().len()), (3, 2, 1));
    }
}
