//! What is sent, how the kernel took it, and what came back.

use calma_record::{Text, Timestamp};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How one packet leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// A datagram (udp(7)), cut into fragments where it is longer than a packet.
    Udp {
        /// Where to.
        to: SocketAddr,
    },
    /// The opening of a connection (tcp(7)); the bytes follow if it is accepted.
    Tcp {
        /// Where to.
        to: SocketAddr,
    },
    /// An echo request (icmp(7), RFC 792, RFC 4443) that carries the bytes.
    Echo {
        /// Where to.
        to: IpAddr,
    },
    /// A packet of any other protocol (raw(7)); the bytes are what follows the IP header.
    Ip {
        /// Where to.
        to: IpAddr,
        /// Number of the protocol.
        protocol: u8,
    },
    /// The bytes as a whole frame (packet(7)).
    Frame {
        /// Number of the interface it leaves through.
        interface: u32,
        /// Whether it passes by the queueing discipline (`PACKET_QDISC_BYPASS`).
        bypass: bool,
    },
}

/// One packet to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shot {
    /// How it leaves.
    pub how: How,
    /// What it carries.
    pub bytes: Vec<u8>,
    /// How many routers it may pass; the system's own number if none. It has no meaning for frames.
    pub hops: Option<u8>,
    /// The port it comes from (TCP and UDP); any if none, or if that one is taken.
    pub from: Option<u16>,
    /// The only interface it may leave through; whichever the routes say if none. It has no meaning for frames.
    pub device: Option<Text>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// An answer of the addressed program: the first bytes of a datagram or an echo reply.
    Answer(Vec<u8>),
    /// The connection was accepted.
    Connected,
    /// The connection was refused.
    Refused,
    /// A router or the host itself reported an error (RFC 792, RFC 4443).
    Error {
        /// Who says so.
        by: Option<IpAddr>,
        /// ICMP type.
        kind: u8,
        /// ICMP code.
        code: u8,
    },
}

/// What became of one shot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// When it was handed to the kernel, by this machine's clock.
    pub at: Timestamp,
    /// Whether the socket for it could be had: without the right to it, or the protocol, nothing was tried.
    pub opened: bool,
    /// The kernel's error number if it did not take it: `EPERM` where a hook of the way out dropped it, `ENOBUFS` where
    /// the device's queue or its hook did, `ENETUNREACH` where there is no route.
    pub error: Option<i32>,
    /// The port it came from, where it has one.
    pub from: Option<u16>,
    /// What came back in the time given.
    pub came: Option<Came>,
    /// How long that took.
    pub after: Option<Duration>,
}
