//! Sending shots from a network namespace, and waiting for what comes back.

use super::{Came, Fired, How, Shot, errors, raw, sockaddr};
use crate::live::{files, inside};
use crate::{HostError, Namespace};
use calma_record::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// `SOL_PACKET` and `PACKET_QDISC_BYPASS` (`<linux/if_packet.h>`).
const SOL_PACKET: i32 = 263;
const PACKET_QDISC_BYPASS: i32 = 20;

/// A shot on its way.
struct Flight<'a> {
    shot: &'a Shot,
    socket: Option<OwnedFd>,
    began: Instant,
    fired: Fired,
}

/// Sends each shot from the namespace, calls `between` there after each, then waits at most so long for what comes back.
///
/// `between` gets the number of the shot that was just sent; with [`Namespace::Own`] it asks the namespace of the shots.
///
/// # Errors
/// When the namespace can not be entered. What the kernel says to a single shot is told with it.
pub fn fire(
    namespace: &Namespace,
    shots: &[Shot],
    wait: Duration,
    between: &mut (dyn FnMut(usize) + Send),
) -> Result<Vec<Fired>, HostError> {
    inside(namespace, || {
        let mut flights: Vec<Flight<'_>> = Vec::with_capacity(shots.len());
        for (number, shot) in shots.iter().enumerate() {
            flights.push(send(shot));
            between(number);
        }
        await_answers(&mut flights, wait);
        flights.into_iter().map(|flight| flight.fired).collect()
    })
}

/// Sixteen bytes nobody can guess (getrandom(2)).
///
/// # Errors
/// When the kernel has none.
pub fn nonce() -> Result<[u8; 16], HostError> {
    let mut bytes = [0; 16];
    // Up to 256 bytes come whole once the pool is ready.
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(16) => Ok(bytes),
        Ok(_) => Err(HostError::errno("getrandom", "", Errno::IO)),
        Err(errno) => Err(HostError::errno("getrandom", "", errno)),
    }
}

fn now() -> Timestamp {
    files::timestamp(rustix::time::clock_gettime(rustix::time::ClockId::Realtime))
}

fn send(shot: &Shot) -> Flight<'_> {
    let mut fired = Fired { at: now(), opened: false, error: None, from: None, came: None, after: None };
    let socket = match open(shot) {
        Ok(socket) => socket,
        Err(errno) => {
            fired.error = Some(errno.raw_os_error());
            return Flight { shot, socket: None, began: Instant::now(), fired };
        }
    };
    let began = Instant::now();
    (fired.at, fired.opened) = (now(), true);
    match launch(shot, &socket) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(errno) => fired.error = Some(errno.raw_os_error()),
    }
    if matches!(shot.how, How::Udp { .. } | How::Tcp { .. }) {
        let local = rustix::net::getsockname(&socket).ok();
        fired.from = local.and_then(|at| SocketAddr::try_from(at).ok()).map(|at| at.port());
    }
    Flight { shot, socket: Some(socket), began, fired }
}

/// The address of a shot, and whether it is IPv6.
fn target(how: &How) -> Option<(SocketAddr, bool)> {
    let to = match how {
        How::Udp { to } | How::Tcp { to } => *to,
        How::Echo { to } | How::Ip { to, .. } => SocketAddr::new(*to, 0),
        How::Frame { .. } => return None,
    };
    Some((to, to.is_ipv6()))
}

fn open(shot: &Shot) -> Result<OwnedFd, Errno> {
    let six = target(&shot.how).is_some_and(|(_, six)| six);
    let family = if six { libc::AF_INET6 } else { libc::AF_INET };
    let socket = match &shot.how {
        How::Udp { .. } => raw::socket(family, libc::SOCK_DGRAM, 0)?,
        How::Tcp { .. } => raw::socket(family, libc::SOCK_STREAM, 0)?,
        How::Echo { .. } => {
            let protocol = if six { libc::IPPROTO_ICMPV6 } else { libc::IPPROTO_ICMP };
            raw::socket(family, libc::SOCK_RAW, protocol)?
        }
        How::Ip { protocol, .. } => raw::socket(family, libc::SOCK_RAW, i32::from(*protocol))?,
        How::Frame { bypass, .. } => {
            let socket = raw::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
            if *bypass {
                raw::set_int(&socket, SOL_PACKET, PACKET_QDISC_BYPASS, 1)?;
            }
            return Ok(socket);
        }
    };
    errors::wanted(&socket, six);
    if let Some(device) = &shot.device {
        raw::set(&socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, device.as_bytes())?;
    }
    if let Some(hops) = shot.hops.map(i32::from) {
        let (level, unicast, multicast) = if six {
            (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, libc::IPV6_MULTICAST_HOPS)
        } else {
            (libc::IPPROTO_IP, libc::IP_TTL, libc::IP_MULTICAST_TTL)
        };
        raw::set_int(&socket, level, unicast, hops)?;
        // A connection goes to no group, and its socket refuses the option.
        if !matches!(shot.how, How::Tcp { .. }) {
            raw::set_int(&socket, level, multicast, hops)?;
        }
    }
    if matches!(shot.how, How::Udp { .. }) {
        // Directed broadcasts are refused without it.
        raw::set_int(&socket, libc::SOL_SOCKET, libc::SO_BROADCAST, 1)?;
    }
    if let Some(port) = shot.from {
        let any: IpAddr = if six { Ipv6Addr::UNSPECIFIED.into() } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
        // A port that is taken is no reason not to shoot: which one it was is told.
        let _ = raw::bind(&socket, &sockaddr::internet(&SocketAddr::new(any, port)));
    }
    Ok(socket)
}

fn launch(shot: &Shot, socket: &OwnedFd) -> Result<(), Errno> {
    match (&shot.how, target(&shot.how)) {
        (How::Frame { interface, .. }, _) => {
            // The kernel takes the frame's own type for the hooks that look at it.
            let kind = shot.bytes.get(12..14).and_then(|two| two.first_chunk::<2>());
            let kind = kind.map_or(0, |two| u16::from_be_bytes(*two));
            raw::send(socket, &shot.bytes, &sockaddr::link(*interface, kind)).map(|_| ())
        }
        (How::Tcp { .. }, Some((to, _))) => raw::connect(socket, &sockaddr::internet(&to)),
        (How::Udp { .. }, Some((to, _))) => {
            raw::connect(socket, &sockaddr::internet(&to))?;
            raw::send(socket, &shot.bytes, &[]).map(|_| ())
        }
        (How::Echo { .. }, Some((to, six))) => {
            raw::send(socket, &echo(&shot.bytes, six), &sockaddr::internet(&to)).map(|_| ())
        }
        (_, Some((to, _))) => raw::send(socket, &shot.bytes, &sockaddr::internet(&to)).map(|_| ()),
        (_, None) => Err(Errno::INVAL),
    }
}

/// An echo request with these bytes; the kernel itself sums up the ones of IPv6.
fn echo(bytes: &[u8], six: bool) -> Vec<u8> {
    let number = bytes.last_chunk::<2>().copied().unwrap_or_default();
    let mut packet = vec![if six { 128 } else { 8 }, 0, 0, 0];
    packet.extend(number);
    packet.extend([0, 1]);
    packet.extend(bytes);
    let sum = checksum(&packet).to_be_bytes();
    packet.splice(2..4, sum);
    packet
}

/// The Internet checksum (RFC 1071).
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        let high = pair.first().copied().unwrap_or(0);
        let low = pair.get(1).copied().unwrap_or(0);
        sum = sum.wrapping_add(u32::from(u16::from_be_bytes([high, low])));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

fn await_answers(flights: &mut [Flight<'_>], wait: Duration) {
    let end = Instant::now() + wait;
    loop {
        let mut waiting: Vec<&mut Flight<'_>> =
            flights.iter_mut().filter(|flight| flight.listens()).collect();
        let left = end.saturating_duration_since(Instant::now());
        if waiting.is_empty() || left.is_zero() {
            return;
        }
        let mut ready: Vec<PollFd<'_>> = waiting
            .iter()
            .filter_map(|flight| flight.socket.as_ref().map(|socket| (flight, socket)))
            .map(|(flight, socket)| {
                let out = matches!(flight.shot.how, How::Tcp { .. });
                let events = if out { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
                PollFd::from_borrowed_fd(socket.as_fd(), events)
            })
            .collect();
        let time = rustix::time::Timespec::try_from(left).ok();
        match poll(&mut ready, time.as_ref()) {
            Ok(0) => return,
            Err(Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        let hot: Vec<bool> = ready.iter().map(|one| !one.revents().is_empty()).collect();
        drop(ready);
        for (flight, _) in waiting.iter_mut().zip(hot).filter(|(_, hot)| *hot) {
            flight.hear();
        }
    }
}

impl Flight<'_> {
    /// Whether an answer may still come.
    fn listens(&self) -> bool {
        self.socket.is_some()
            && self.fired.came.is_none()
            && self.fired.error.is_none()
            && !matches!(self.shot.how, How::Frame { .. })
    }

    fn hear(&mut self) {
        let Some(socket) = self.socket.take() else { return };
        self.fired.came = errors::next(&socket);
        if self.fired.came.is_none() {
            self.fired.came = match &self.shot.how {
                How::Tcp { .. } => connected(&socket, &self.shot.bytes),
                how => answer(&socket, how, &self.shot.bytes),
            };
        }
        self.fired.after = self.fired.came.as_ref().map(|_| self.began.elapsed());
        // One that heard something foreign goes on listening; a connection that failed in another way does not.
        if self.fired.came.is_none() && matches!(self.shot.how, How::Tcp { .. }) {
            return;
        }
        self.socket = Some(socket);
    }
}

fn connected(socket: &OwnedFd, bytes: &[u8]) -> Option<Came> {
    match rustix::net::sockopt::socket_error(socket) {
        Ok(Ok(())) => {
            // What it carries goes with it; whether that arrives is for the other side to say.
            let _ = raw::send(socket, bytes, &[]);
            Some(Came::Connected)
        }
        Ok(Err(Errno::CONNREFUSED)) => Some(Came::Refused),
        _ => None,
    }
}

fn answer(socket: &OwnedFd, how: &How, sent: &[u8]) -> Option<Came> {
    let mut buffer = [0; 2048];
    for _ in 0..64 {
        let received = raw::receive(socket, &mut buffer, 0).ok()?;
        let bytes = buffer.get(..received.length)?;
        match how {
            How::Udp { .. } => return Some(Came::Answer(bytes.get(..bytes.len().min(64))?.to_vec())),
            How::Echo { to } => {
                // Raw sockets of IPv4 give the header too; its length is in units of four bytes.
                let header = match (to, bytes.first()) {
                    (IpAddr::V4(_), Some(first)) => usize::from(first & 15) * 4,
                    _ => 0,
                };
                let packet = bytes.get(header..)?;
                let reply = if to.is_ipv4() { 0 } else { 129 };
                if packet.first() == Some(&reply) && packet.get(8..) == Some(sent) {
                    return Some(Came::Answer(packet.get(..packet.len().min(64))?.to_vec()));
                }
            }
            How::Tcp { .. } | How::Ip { .. } | How::Frame { .. } => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(how: How, bytes: &[u8]) -> Shot {
        Shot { how, bytes: bytes.to_vec(), hops: None, from: None, device: None }
    }

    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        // The example of RFC 1071, section 3: the sum is ddf2.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(checksum(&echo(b"odd", false)), 0);
    }

    #[test]
    fn what_comes_back_over_loopback_is_told() {
        // Traffic on loopback alone: a closed port refuses, a listener accepts.
        let listener =
            rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None)
                .unwrap();
        rustix::net::bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        rustix::net::listen(&listener, 4).unwrap();
        let at = SocketAddr::try_from(rustix::net::getsockname(&listener).unwrap()).unwrap();
        let shots = [
            shot(How::Tcp { to: at }, b"x"),
            shot(How::Tcp { to: "127.0.0.1:1".parse().unwrap() }, b"x"),
            shot(How::Udp { to: "127.0.0.1:1".parse().unwrap() }, b"x"),
        ];
        let mut seen = Vec::new();
        let fired = fire(&Namespace::Own, &shots, Duration::from_secs(2), &mut |number| seen.push(number));
        let fired = fired.unwrap();
        assert_eq!(seen, [0, 1, 2]);
        assert_eq!(fired[0].came, Some(Came::Connected));
        assert_eq!(fired[1].came, Some(Came::Refused));
        // Type 3 code 3: port unreachable.
        let by = Some("127.0.0.1".parse().unwrap());
        assert_eq!(fired[2].came, Some(Came::Error { by, kind: 3, code: 3 }));
        assert!(fired.iter().all(|fired| fired.error.is_none() && fired.from.is_some()));
    }
}
