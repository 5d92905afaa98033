//! Sockets of the internet protocols: listed, and ended from outside.

use crate::HostError;
use crate::netlink::messages;
use std::net::{IpAddr, SocketAddr};

/// Length of `struct inet_diag_sockid` and where it stands in a socket's message (`<linux/inet_diag.h>`).
const ID: usize = 48;
/// What is dumped: family and protocol (TCP, UDP, UDP-Lite, raw).
pub(super) const ASKED: [(u8, u8); 8] =
    [(2, 6), (10, 6), (2, 17), (10, 17), (2, 136), (10, 136), (2, 255), (10, 255)];

/// A socket of TCP, UDP, UDP-Lite, or a raw one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Protocol above IP: 6, 17, 136; 255 for raw sockets (`IPPROTO_RAW`), whose own protocol is the local port.
    pub protocol: u8,
    /// Own address and port.
    pub local: SocketAddr,
    /// The peer's, all zeros where there is none.
    pub remote: SocketAddr,
    /// State as of `<net/tcp_states.h>`: 1 established (UDP: connected), 7 closed (UDP: not connected), 10 listening.
    pub state: u8,
    /// Index of the interface it is bound to, 0 if to none.
    pub interface: u32,
    /// Owner's user id.
    pub uid: u32,
    /// Inode number, 0 if no open file stands for it.
    pub inode: u32,
    /// Number by which the kernel tells it from another with the same addresses.
    pub cookie: u64,
    pub(super) family: u8,
    pub(super) id: [u8; ID],
}

impl Connection {
    /// Whether it listens.
    pub fn listens(&self) -> bool {
        self.state == 10
    }

    /// Whether it has a peer.
    pub fn is_connected(&self) -> bool {
        !self.listens() && self.remote.port() != 0
    }

    /// Whether its traffic stays on this host: the peer is a loopback address.
    pub fn is_loopback(&self) -> bool {
        self.remote.ip().to_canonical().is_loopback()
    }
}

impl std::fmt::Display for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.protocol {
            6 => "tcp",
            17 => "udp",
            136 => "udplite",
            _ => "raw",
        };
        write!(f, "{name} {} to {}", self.local, self.remote)
    }
}

/// Sockets of a namespace, by a socket that stays open.
pub trait Connections: Send {
    /// All sockets of TCP, UDP, UDP-Lite and raw ones, listening ones too, as far as the kernel tells.
    ///
    /// # Errors
    /// When the kernel tells of none of them.
    fn list(&mut self) -> Result<Vec<Connection>, HostError>;

    /// Ends a socket as if its peer had reset it (SOCK_DESTROY, Linux 4.5 with `CONFIG_INET_DIAG_DESTROY`): its holder
    /// sees `ECONNABORTED`. It can not be taken back. False if it is gone already.
    ///
    /// # Errors
    /// `EOPNOTSUPP` where the kernel or the protocol can not.
    fn destroy(&mut self, connection: &Connection) -> Result<bool, HostError>;
}

fn array<const N: usize>(body: &[u8], at: usize) -> Option<[u8; N]> {
    body.get(at..)?.first_chunk::<N>().copied()
}

/// The sockets of a dump of this protocol (`struct inet_diag_msg`).
pub(super) fn of_dump(dump: &[u8], protocol: u8) -> Vec<Connection> {
    messages(dump).flatten().filter_map(|message| of_message(message.body, protocol)).collect()
}

fn of_message(body: &[u8], protocol: u8) -> Option<Connection> {
    let family = *body.first()?;
    let address = |at| -> Option<IpAddr> {
        match family {
            2 => array::<4>(body, at).map(Into::into),
            10 => array::<16>(body, at).map(Into::into),
            _ => None,
        }
    };
    let port = |at| array(body, at).map(u16::from_be_bytes);
    let number = |at| array(body, at).map(u32::from_ne_bytes);
    Some(Connection {
        protocol,
        local: SocketAddr::new(address(8)?, port(4)?),
        remote: SocketAddr::new(address(24)?, port(6)?),
        state: *body.get(1)?,
        interface: number(40)?,
        uid: number(64)?,
        inode: number(68)?,
        cookie: u64::from(number(44)?) | u64::from(number(48)?) << 32,
        family,
        id: array(body, 4)?,
    })
}

/// `struct inet_diag_req_v2` for sockets in these states (bits), or for the one with this identity.
pub(super) fn question(family: u8, protocol: u8, states: u32, id: &[u8; ID]) -> Vec<u8> {
    let mut body = vec![family, protocol, 0, 0];
    // The protocol of raw sockets is a number of their own; theirs is asked for with any.
    body.extend(states.to_ne_bytes());
    body.extend(id);
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::write;

    #[test]
    fn a_socket_is_read_and_named_again_and_short_ones_are_none() {
        let mut body = vec![2, 1, 0, 0, 0x9c, 0x40, 0, 22, 192, 0, 2, 1];
        body.resize(24, 0);
        body.extend([198, 51, 100, 7]);
        body.resize(72, 0);
        body[44] = 9;
        let found = of_dump(&write(20, 0, 1, &body), 6);
        assert_eq!(found[0].to_string(), "tcp 192.0.2.1:40000 to 198.51.100.7:22");
        assert!(found[0].is_connected() && !found[0].is_loopback() && found[0].cookie == 9);
        assert_eq!(question(2, 6, 0, &found[0].id)[8..], body[4..52]);
        for length in 0..body.len() {
            assert!(of_dump(&write(20, 0, 1, &body[..length]), 6).is_empty());
        }
    }
}
