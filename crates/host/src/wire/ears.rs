//! Plain sockets that hear what is sent to one port: for a witness without the right to a packet socket, and to answer.

use crate::HostError;
use calma_record::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Most connections that are read from at once; a further one ends the oldest.
const CALLERS: usize = 32;
/// Longest that a connection is kept.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes read of one datagram or connection.
const READ: usize = 256;

/// What was heard at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When, by this machine's clock.
    pub at: Timestamp,
    /// Who called.
    pub from: SocketAddr,
    /// Whether by TCP; the opening of a connection is a call without bytes.
    pub stream: bool,
    /// The first bytes.
    pub bytes: Vec<u8>,
}

/// Sockets that hear UDP and TCP at one port, over IPv4 and, where there is one, IPv6.
#[derive(Debug)]
pub struct Ears {
    datagrams: Vec<OwnedFd>,
    listeners: Vec<OwnedFd>,
    callers: Vec<(OwnedFd, SocketAddr, Instant)>,
    port: u16,
}

impl Ears {
    /// Opens the port.
    ///
    /// # Errors
    /// When it is taken or may not be had.
    pub fn open(port: u16) -> Result<Self, HostError> {
        let failed = |errno| HostError::errno("bind", format!("port {port}"), errno);
        let mut ears = Self { datagrams: Vec::new(), listeners: Vec::new(), callers: Vec::new(), port };
        for any in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
            match ears.add(any) {
                Ok(()) => {}
                // A machine without IPv6 hears IPv4 alone.
                Err(_) if any.is_ipv6() => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        Ok(ears)
    }

    fn add(&mut self, any: IpAddr) -> Result<(), Errno> {
        let family = if any.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
        let address = SocketAddr::new(any, self.port);
        let mut opened = Vec::new();
        for kind in [SocketType::DGRAM, SocketType::STREAM] {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = rustix::net::socket_with(family, kind, flags, None)?;
            if any.is_ipv6() {
                rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
            }
            if kind == SocketType::STREAM {
                rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
            }
            rustix::net::bind(&socket, &address)?;
            opened.push(socket);
        }
        if let Some(stream) = opened.pop() {
            rustix::net::listen(&stream, 16)?;
            self.listeners.push(stream);
        }
        self.datagrams.append(&mut opened);
        Ok(())
    }

    /// Waits at most so long and gives what was heard. For a datagram, `answer` may give bytes to send back; more than
    /// came are never sent, so that nobody can use this port to flood a third machine.
    pub fn each(&mut self, wait: Duration, answer: &mut dyn FnMut(&Call) -> Option<Vec<u8>>) {
        let now = Instant::now();
        self.callers.retain(|(_, _, until)| *until > now);
        let sockets =
            self.datagrams.iter().chain(&self.listeners).chain(self.callers.iter().map(|(fd, _, _)| fd));
        let mut ready: Vec<PollFd<'_>> =
            sockets.map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)).collect();
        let wait = rustix::time::Timespec::try_from(wait).ok();
        if !matches!(poll(&mut ready, wait.as_ref()), Ok(1..)) {
            return;
        }
        self.datagrams.iter().for_each(|socket| datagrams(socket, answer));
        for listener in &self.listeners {
            for _ in 0..CALLERS {
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                let Ok((socket, from)) = rustix::net::acceptfrom_with(listener, flags) else { break };
                let Some(from) = from.and_then(|from| SocketAddr::try_from(from).ok()) else { continue };
                answer(&Call { at: clock(), from: plain(from), stream: true, bytes: Vec::new() });
                self.callers.push((socket, plain(from), Instant::now() + PATIENCE));
                if self.callers.len() > CALLERS {
                    self.callers.remove(0);
                }
            }
        }
        self.callers.retain(|(socket, from, _)| {
            let mut buffer = [0; READ];
            match rustix::net::recv(socket, buffer.as_mut_slice(), RecvFlags::empty()) {
                Err(Errno::AGAIN | Errno::INTR) => true,
                Ok((_, length)) if length > 0 => {
                    let bytes = buffer.get(..length.min(READ)).unwrap_or_default().to_vec();
                    answer(&Call { at: clock(), from: *from, stream: true, bytes });
                    false
                }
                _ => false,
            }
        });
    }
}

fn datagrams(socket: &OwnedFd, answer: &mut dyn FnMut(&Call) -> Option<Vec<u8>>) {
    for _ in 0..256 {
        let mut buffer = [0; READ];
        let Ok((_, length, from)) = rustix::net::recvfrom(socket, buffer.as_mut_slice(), RecvFlags::empty())
        else {
            return;
        };
        let Some(from) = from.and_then(|from| SocketAddr::try_from(from).ok()) else { continue };
        let bytes = buffer.get(..length.min(READ)).unwrap_or_default().to_vec();
        let call = Call { at: clock(), from: plain(from), stream: false, bytes };
        if let Some(reply) = answer(&call).filter(|reply| reply.len() <= call.bytes.len()) {
            // An answer that can not be sent is one that does not come.
            let _ = rustix::net::sendto(socket, &reply, SendFlags::NOSIGNAL, &from);
        }
    }
}

fn clock() -> Timestamp {
    crate::live::files::timestamp(rustix::time::clock_gettime(rustix::time::ClockId::Realtime))
}

/// IPv4 written as IPv6 is IPv4.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Namespace, wire};

    #[test]
    fn a_datagram_and_a_connection_are_heard_and_no_answer_is_longer_than_the_call() {
        let mut ears = (47_000..47_100).find_map(|port| Ears::open(port).ok()).unwrap();
        let to = SocketAddr::from(([127, 0, 0, 1], ears.port));
        let shot = |how| wire::Shot { how, bytes: b"hello".to_vec(), hops: None, from: None, device: None };
        let shots = [shot(wire::How::Udp { to }), shot(wire::How::Tcp { to })];
        let heard = std::thread::scope(|scope| {
            let listening = scope.spawn(|| {
                let mut heard = Vec::new();
                let end = Instant::now() + Duration::from_secs(2);
                while heard.len() < 3 && Instant::now() < end {
                    ears.each(Duration::from_millis(100), &mut |call: &Call| {
                        heard.push(call.clone());
                        Some(b"a longer answer than the call".to_vec())
                    });
                }
                heard
            });
            let wait = Duration::from_millis(300);
            let fired = wire::fire(&Namespace::Own, &shots, wait, &mut |_| ()).unwrap();
            assert_eq!(fired[0].came, None);
            assert_eq!(fired[1].came, Some(wire::Came::Connected));
            listening.join().unwrap()
        });
        let heard: Vec<_> = heard.iter().map(|call| (call.stream, call.bytes.as_slice())).collect();
        assert!(heard.contains(&(false, b"hello")) && heard.contains(&(true, b"hello")), "{heard:?}");
        assert!(heard.contains(&(true, b"")));
    }
}
