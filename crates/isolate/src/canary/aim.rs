//! Which canaries are sent from a namespace, and where to.

use super::frames::{self, EVERYBODY};
use super::mark::question;
use super::{CanaryKind, Mark, Outlook, Outward, PORT};
use calma_host::HostError;
use calma_host::wire::{How, Shot, nonce};
use calma_record::{Text, Timestamp};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The cloud's metadata service (the same address at Amazon, Azure, Google and OpenStack; the second at Amazon).
const METADATA4: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));
const METADATA6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254));
/// Addresses that exist in documentation alone (RFC 5737, RFC 3849).
const NOWHERE4: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));
const NOWHERE6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
/// Groups of one organisation's own, for this link (RFC 2365, RFC 4291).
const GROUP4: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 255, 209, 19));
const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0xca, 0x1ca);
/// Protocol numbers (IANA): SCTP, DCCP, GRE, and one for experiments (RFC 3692).
const SCTP: u8 = 132;
const DCCP: u8 = 33;
const GRE: u8 = 47;
const EXPERIMENT: u8 = 253;
/// Longer than a packet of any usual interface: it goes as fragments.
const LONG: usize = 3000;
/// Interfaces for which each way is tried; beyond it, frames alone.
const INTERFACES: usize = 32;

/// What a canary is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aim {
    /// A witness.
    Witness,
    /// The next hop.
    Gateway,
    /// An address that is nobody's, no further than the next hop.
    Nowhere,
    /// A name server of the host.
    Resolver,
    /// The cloud's metadata service.
    Metadata,
    /// Whoever listens on the link.
    Link,
}

/// One packet that must not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// The way it tries.
    pub kind: CanaryKind,
    /// The number nobody can guess.
    pub nonce: [u8; 16],
    /// What it is aimed at.
    pub aim: Aim,
    /// Where it goes, in words.
    pub to: String,
    /// How it is sent; its mark is put in at the moment of sending.
    pub(super) shot: Shot,
    pub(super) carrier: Carrier,
}

/// Where the mark stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// It is all there is.
    Alone,
    /// Behind a header.
    Behind(Vec<u8>),
    /// Over and over, so that each fragment holds one.
    Repeated(usize),
    /// In a frame with this header, which may be longer than the mark.
    Frame(FrameHead),
    /// The number is in a name; there is no mark.
    Name,
}

/// What a frame is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FrameHead {
    Plain { to: [u8; 6], from: [u8; 6] },
    Datagram { macs: ([u8; 6], [u8; 6]), addresses: (Ipv4Addr, Ipv4Addr) },
}

impl Canary {
    /// The port a connection of this canary comes from: half of the number's first bytes.
    pub fn port(&self) -> u16 {
        let [a, b, ..] = self.nonce;
        0x8000 | u16::from_be_bytes([a, b])
    }

    /// The shot with its mark, sent now.
    pub(super) fn shot(&self, now: Timestamp) -> Shot {
        let mark = Mark::new(self.kind, self.nonce, now).bytes();
        let bytes = match &self.carrier {
            Carrier::Alone => mark,
            Carrier::Behind(header) => [header.as_slice(), &mark].concat(),
            Carrier::Repeated(length) => mark.iter().copied().cycle().take(*length).collect(),
            Carrier::Frame(FrameHead::Plain { to, from }) => frames::plain(*to, *from, &mark),
            Carrier::Frame(FrameHead::Datagram { macs, addresses }) => {
                frames::datagram(*macs, *addresses, PORT, &mark)
            }
            Carrier::Name => question(&self.nonce),
        };
        Shot { bytes, ..self.shot.clone() }
    }
}

/// Gathers canaries.
struct Nest {
    canaries: Vec<Canary>,
}

impl Nest {
    fn add(
        &mut self,
        kind: CanaryKind,
        aim: Aim,
        how: How,
        carrier: Carrier,
    ) -> Result<&mut Canary, HostError> {
        let to = match &how {
            How::Udp { to } | How::Tcp { to } => to.to_string(),
            How::Echo { to } => to.to_string(),
            How::Ip { to, protocol } => format!("{to} (protocol {protocol})"),
            How::Frame { interface, .. } => format!("the link of interface {interface}"),
        };
        let shot = Shot { how, bytes: Vec::new(), hops: None, from: None, device: None };
        let mut canary = Canary { kind, nonce: nonce()?, aim, to, shot, carrier };
        if kind.is_stream() {
            canary.shot.from = Some(canary.port());
        }
        self.canaries.push(canary);
        // A canary was just pushed.
        self.canaries.last_mut().ok_or_else(|| HostError::new("canary", "", calma_host::Cause::Unsupported))
    }

    /// Every way of one address family to one address.
    fn every_way(&mut self, to: IpAddr, aim: Aim) -> Result<(), HostError> {
        use CanaryKind as K;
        let at = |port| SocketAddr::new(to, port);
        let four = to.is_ipv4();
        let pick = |if_four, if_six| if four { if_four } else { if_six };
        self.add(pick(K::Udp4, K::Udp6), aim, How::Udp { to: at(PORT) }, Carrier::Alone)?;
        self.add(pick(K::Tcp4, K::Tcp6), aim, How::Tcp { to: at(PORT) }, Carrier::Alone)?;
        self.add(pick(K::Icmp4, K::Icmp6), aim, How::Echo { to }, Carrier::Alone)?;
        self.add(pick(K::Dns4, K::Dns6), aim, How::Udp { to: at(53) }, Carrier::Name)?;
        let fragments = Carrier::Repeated(LONG);
        self.add(pick(K::Fragments4, K::Fragments6), aim, How::Udp { to: at(PORT) }, fragments)?;
        let raw = |protocol| How::Ip { to, protocol };
        self.add(pick(K::Raw4, K::Raw6), aim, raw(EXPERIMENT), Carrier::Alone)?;
        // Ports, then as much of each protocol's first header as makes it recognisable; nobody is to accept it.
        let ports = [PORT.to_be_bytes(), PORT.to_be_bytes()].concat();
        let header = |rest: &[u8]| Carrier::Behind([ports.as_slice(), rest].concat());
        self.add(pick(K::Sctp4, K::Sctp6), aim, raw(SCTP), header(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 40]))?;
        if four {
            self.add(K::Dccp4, aim, raw(DCCP), header(&[4, 0, 0, 0, 0, 0, 0, 0]))?;
            self.add(K::Gre4, aim, raw(GRE), Carrier::Behind(vec![0, 0, 0x88, 0xb5]))?;
        }
        Ok(())
    }

    /// What any intruder would try first, and no further than the next hop.
    fn next_hop_alone(&mut self, gateway: IpAddr, device: &Text) -> Result<(), HostError> {
        use CanaryKind as K;
        let four = gateway.is_ipv4();
        let nowhere = if four { NOWHERE4 } else { NOWHERE6 };
        let pick = |if_four, if_six| if four { if_four } else { if_six };
        // A link-local next hop is reached through its interface alone.
        for (to, aim) in [(gateway, Aim::Gateway), (nowhere, Aim::Nowhere)] {
            let at = |port| SocketAddr::new(to, port);
            for (kind, how) in [
                (pick(K::Udp4, K::Udp6), How::Udp { to: at(PORT) }),
                (pick(K::Tcp4, K::Tcp6), How::Tcp { to: at(PORT) }),
                (pick(K::Icmp4, K::Icmp6), How::Echo { to }),
            ] {
                let canary = self.add(kind, aim, how, Carrier::Alone)?;
                canary.shot.hops = Some(1);
                canary.shot.device = Some(device.clone());
            }
        }
        Ok(())
    }

    /// What reaches the link itself, whatever the routes say.
    fn link(&mut self, interface: &Outward, outlook: &Outlook, frames_alone: bool) -> Result<(), HostError> {
        use CanaryKind as K;
        if let Some(from) = interface.mac {
            let plain = || Carrier::Frame(FrameHead::Plain { to: EVERYBODY, from });
            let frame = |bypass| How::Frame { interface: interface.index, bypass };
            self.add(K::Frame, Aim::Link, frame(false), plain())?;
            self.add(K::FrameBypass, Aim::Link, frame(true), plain())?;
            if let Some((addresses, to)) = packet_ends(interface, outlook) {
                let head = FrameHead::Datagram { macs: (to, from), addresses };
                self.add(K::FramePacket, Aim::Link, frame(true), Carrier::Frame(head))?;
            }
        }
        if frames_alone {
            return Ok(());
        }
        let four = interface.addresses.iter().any(IpAddr::is_ipv4);
        let six = interface.addresses.iter().any(IpAddr::is_ipv6);
        let group6 = SocketAddr::V6(SocketAddrV6::new(GROUP6, PORT, 0, interface.index));
        let everybody = SocketAddr::new(IpAddr::V4(Ipv4Addr::BROADCAST), PORT);
        for (kind, to, fits) in [
            (K::Multicast4, SocketAddr::new(GROUP4, PORT), four),
            (K::Multicast6, group6, six),
            (K::Broadcast4, everybody, four),
        ] {
            if fits {
                let canary = self.add(kind, Aim::Link, How::Udp { to }, Carrier::Alone)?;
                canary.shot.hops = Some(1);
                canary.shot.device = Some(interface.name.clone());
            }
        }
        Ok(())
    }
}

/// Between which addresses a whole packet goes as a frame, and to whose hardware address: to a witness over the next
/// hop where it is not on the link.
fn packet_ends(interface: &Outward, outlook: &Outlook) -> Option<((Ipv4Addr, Ipv4Addr), [u8; 6])> {
    let four = |address: &IpAddr| match address {
        IpAddr::V4(four) => Some(*four),
        IpAddr::V6(_) => None,
    };
    let source = interface.addresses.iter().find_map(four)?;
    let (witness, on_link) = outlook
        .witnesses
        .iter()
        .find_map(|address| Some((four(address)?, outlook.mac_of(interface.index, *address))))?;
    let over = || {
        let hop = outlook.gateways.iter().find(|hop| hop.interface == interface.index)?;
        outlook.mac_of(interface.index, hop.address)
    };
    Some(((source, witness), on_link.or_else(over)?))
}

/// The canaries of one round from one namespace: to every witness every way, or without one no further than the next hop;
/// to the host's name servers and the cloud's metadata; and onto every link.
///
/// # Errors
/// When the kernel has no random numbers.
pub fn canaries(outlook: &Outlook) -> Result<Vec<Canary>, HostError> {
    let mut nest = Nest { canaries: Vec::new() };
    for witness in &outlook.witnesses {
        nest.every_way(*witness, Aim::Witness)?;
    }
    if outlook.witnesses.is_empty() {
        for gateway in outlook.gateways.iter().take(INTERFACES) {
            let interface = outlook.outward.iter().find(|interface| interface.index == gateway.interface);
            if let Some(interface) = interface {
                nest.next_hop_alone(gateway.address, &interface.name)?;
            }
        }
    }
    for resolver in &outlook.resolvers {
        let kind = if resolver.is_ipv4() { CanaryKind::Dns4 } else { CanaryKind::Dns6 };
        nest.add(kind, Aim::Resolver, How::Udp { to: SocketAddr::new(*resolver, 53) }, Carrier::Name)?;
    }
    for (kind, to) in [(CanaryKind::Metadata4, METADATA4), (CanaryKind::Metadata6, METADATA6)] {
        nest.add(kind, Aim::Metadata, How::Tcp { to: SocketAddr::new(to, 80) }, Carrier::Alone)?;
    }
    for (number, interface) in outlook.outward.iter().enumerate() {
        nest.link(interface, outlook, number >= INTERFACES)?;
    }
    Ok(nest.canaries)
}
