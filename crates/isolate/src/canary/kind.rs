//! The ways out that canaries try.

use std::fmt;

/// A way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CanaryKind {
    /// A datagram over IPv4.
    Udp4,
    /// A datagram over IPv6.
    Udp6,
    /// The opening of a connection over IPv4.
    Tcp4,
    /// The opening of a connection over IPv6.
    Tcp6,
    /// An echo request over IPv4.
    Icmp4,
    /// An echo request over IPv6.
    Icmp6,
    /// A question to a name server over IPv4, with the number in the name.
    Dns4,
    /// A question to a name server over IPv6.
    Dns6,
    /// A connection to the cloud's metadata service over IPv4.
    Metadata4,
    /// A connection to the cloud's metadata service over IPv6.
    Metadata6,
    /// A frame of no known protocol from a packet socket.
    Frame,
    /// The same, past the queueing discipline.
    FrameBypass,
    /// A whole IPv4 packet in a frame from a packet socket.
    FramePacket,
    /// The opening of an SCTP association from a raw socket over IPv4.
    Sctp4,
    /// The same over IPv6.
    Sctp6,
    /// A DCCP request from a raw socket over IPv4.
    Dccp4,
    /// A GRE packet from a raw socket over IPv4.
    Gre4,
    /// A packet of a protocol for experiments over IPv4.
    Raw4,
    /// The same over IPv6.
    Raw6,
    /// A datagram to a group over IPv4.
    Multicast4,
    /// A datagram to a group over IPv6.
    Multicast6,
    /// A datagram to everybody on the link.
    Broadcast4,
    /// A datagram in several fragments over IPv4.
    Fragments4,
    /// A datagram in several fragments over IPv6.
    Fragments6,
    /// A sign of life from the watchdog: kept, and missed when it stays away.
    Beat,
}

impl CanaryKind {
    /// Every kind, with its number on the wire and its name.
    const TABLE: &'static [(Self, u8, &'static str)] = &[
        (Self::Udp4, 1, "udp4"),
        (Self::Udp6, 2, "udp6"),
        (Self::Tcp4, 3, "tcp4"),
        (Self::Tcp6, 4, "tcp6"),
        (Self::Icmp4, 5, "icmp4"),
        (Self::Icmp6, 6, "icmp6"),
        (Self::Dns4, 7, "dns4"),
        (Self::Dns6, 8, "dns6"),
        (Self::Metadata4, 9, "metadata4"),
        (Self::Metadata6, 10, "metadata6"),
        (Self::Frame, 11, "frame"),
        (Self::FrameBypass, 12, "frame-bypass"),
        (Self::FramePacket, 13, "frame-packet"),
        (Self::Sctp4, 14, "sctp4"),
        (Self::Sctp6, 15, "sctp6"),
        (Self::Dccp4, 16, "dccp4"),
        (Self::Gre4, 17, "gre4"),
        (Self::Raw4, 18, "raw4"),
        (Self::Raw6, 19, "raw6"),
        (Self::Multicast4, 20, "multicast4"),
        (Self::Multicast6, 21, "multicast6"),
        (Self::Broadcast4, 22, "broadcast4"),
        (Self::Fragments4, 23, "fragments4"),
        (Self::Fragments6, 24, "fragments6"),
        (Self::Beat, 64, "beat"),
    ];

    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::TABLE.iter().map(|(kind, _, _)| *kind)
    }

    fn line(self) -> Option<&'static (Self, u8, &'static str)> {
        Self::TABLE.iter().find(|(kind, _, _)| *kind == self)
    }

    /// Its number on the wire.
    pub(crate) fn code(self) -> u8 {
        self.line().map_or(0, |(_, code, _)| *code)
    }

    /// The kind of this number.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::TABLE.iter().find(|(_, number, _)| *number == code).map(|(kind, _, _)| *kind)
    }

    /// Its name in records and on screens.
    pub fn name(self) -> &'static str {
        self.line().map_or("", |(_, _, name)| *name)
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::TABLE.iter().find(|(_, _, own)| *own == name).map(|(kind, _, _)| *kind)
    }

    /// Whether it opens a connection, so that its number stands in the port it comes from.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Tcp4 | Self::Tcp6 | Self::Metadata4 | Self::Metadata6)
    }
}

impl fmt::Display for CanaryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_each_ones_own() {
        let all: Vec<CanaryKind> = CanaryKind::all().collect();
        for kind in &all {
            assert_eq!(CanaryKind::from_code(kind.code()), Some(*kind));
            assert_eq!(CanaryKind::from_name(kind.name()), Some(*kind));
        }
        assert_eq!(all.len(), 25);
    }
}
