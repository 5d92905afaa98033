//! One open socket to the kernel in a namespace, for questions and orders.

use crate::live::netlink::{self, DUMP};
use crate::netlink::{NLM_F_ACK, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, Status, messages, write};
use crate::{HostError, Namespace, Protocol, Request};
use calma_record::Text;
use rustix::fd::{AsRawFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::time::Instant;

/// Options of netlink sockets (netlink(7), `<linux/netlink.h>`).
const CAP_ACK: libc::c_int = 10;
const EXT_ACK: libc::c_int = 11;
const STRICT: libc::c_int = 12;
/// A dump that the kernel calls inconsistent is asked for this often.
const TRIES: u32 = 5;

/// An error of the kernel, and its own words if it has some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) errno: Errno,
    pub(super) words: Text,
}

impl Failure {
    /// The failure of `call` about `what`.
    pub(super) fn about(&self, call: &'static str, what: impl std::fmt::Display) -> HostError {
        let place = if self.words.is_empty() { what.to_string() } else { format!("{what} ({})", self.words) };
        HostError::errno(call, place, self.errno)
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self { errno, words: Text::default() }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self { errno: Errno::from_raw_os_error(status.errno), words: status.words.into() }
    }
}

/// One open socket to the kernel in a namespace.
#[derive(Debug)]
pub(super) struct Channel {
    socket: OwnedFd,
    protocol: Protocol,
    port: u32,
    sequence: u32,
}

impl Channel {
    /// Opens one.
    pub(super) fn open(namespace: &Namespace, protocol: Protocol) -> Result<Self, HostError> {
        let opened = netlink::inside(namespace, || -> Result<OwnedFd, Errno> { netlink::open(protocol) })?;
        let failed = |errno| HostError::errno("socket", format!("netlink protocol {}", protocol.0), errno);
        let socket = opened.map_err(failed)?;
        // Kernels without these are asked without them: errors then have no words, dumps more than was asked for.
        for option in [CAP_ACK, EXT_ACK, STRICT] {
            set(&socket, libc::SOL_NETLINK, option, 1);
        }
        let name = rustix::net::getsockname(&socket).map_err(failed)?;
        let port = rustix::net::netlink::SocketAddrNetlink::try_from(name).map_err(failed)?.pid();
        Ok(Self { socket, protocol, port, sequence: 0 })
    }

    /// The port by which the kernel knows this socket.
    pub(super) fn port(&self) -> u32 {
        self.port
    }

    /// A number for the next message, and room for `more` after it.
    pub(super) fn number(&mut self, more: usize) -> u32 {
        let first = self.sequence.wrapping_add(1);
        self.sequence = first.wrapping_add(u32::try_from(more).unwrap_or(u32::MAX));
        first
    }

    /// Sends one datagram, with as much room as it needs.
    pub(super) fn send(&self, bytes: &[u8]) -> Result<(), Failure> {
        // The kernel keeps 32 bytes of the room to itself, and doubles what it is told.
        let room = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        if room > 64 << 10 && !set(&self.socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, room) {
            set(&self.socket, libc::SOL_SOCKET, libc::SO_SNDBUF, room);
        }
        loop {
            match rustix::net::send(&self.socket, bytes, SendFlags::empty()) {
                Err(Errno::INTR) => {}
                other => return Ok(other.map(drop)?),
            }
        }
    }

    /// One datagram; `None` if there is none now and `wait` is false.
    pub(super) fn receive(&self, buffer: &mut [u8], wait: bool) -> Result<Option<usize>, Failure> {
        let flags = if wait { RecvFlags::TRUNC } else { RecvFlags::TRUNC | RecvFlags::DONTWAIT };
        loop {
            return match rustix::net::recv(&self.socket, &mut *buffer, flags) {
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) if !wait => Ok(None),
                Err(Errno::AGAIN) => Err(Errno::TIMEDOUT.into()),
                Ok((_, length)) if length > buffer.len() => Err(Errno::NOBUFS.into()),
                Ok((_, length)) => Ok(Some(length)),
                Err(errno) => Err(errno.into()),
            };
        }
    }

    /// An order, and the kernel's word that it is carried out.
    pub(super) fn order(&mut self, kind: u16, flags: u16, body: &[u8]) -> Result<(), Failure> {
        self.exchange(kind, flags | NLM_F_ACK, body).map(drop)
    }

    /// A question with one message for an answer: its body.
    pub(super) fn ask(&mut self, kind: u16, body: &[u8]) -> Result<Vec<u8>, Failure> {
        self.exchange(kind, 0, body)?.ok_or(Errno::BADMSG.into())
    }

    fn exchange(&mut self, kind: u16, flags: u16, body: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let sequence = self.number(0);
        self.send(&write(kind, NLM_F_REQUEST | flags, sequence, body))?;
        let mut buffer = vec![0; 32 << 10];
        let deadline = Instant::now() + DUMP;
        while Instant::now() < deadline {
            let length = self.receive(&mut buffer, true)?.unwrap_or(0);
            for message in messages(buffer.get(..length).unwrap_or_default()) {
                let message = message.map_err(|_| Errno::BADMSG)?;
                if message.sequence != sequence {
                    continue;
                }
                if !matches!(message.kind, NLMSG_ERROR | NLMSG_DONE) {
                    return Ok(Some(message.body.to_vec()));
                }
                let status = message.status();
                return if status.errno == 0 { Ok(None) } else { Err(status.into()) };
            }
        }
        Err(Errno::TIMEDOUT.into())
    }

    /// All messages of a dump, each with its header and padded. One that changed meanwhile is asked for again.
    pub(super) fn dump(&mut self, kind: u16, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let request = Request::dump(self.protocol, kind, body);
        let mut last = Errno::AGAIN;
        for _ in 0..TRIES {
            let sequence = self.number(0);
            match netlink::dump(&self.socket, &request, sequence, Instant::now() + DUMP) {
                Ok(answer) if answer.cut => return Err(Errno::OVERFLOW.into()),
                Ok(answer) if answer.changed => last = Errno::AGAIN,
                Ok(answer) => return Ok(answer.messages),
                Err(Errno::NOBUFS) => last = Errno::NOBUFS,
                Err(Errno::INTR) => last = Errno::INTR,
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(last.into())
    }
}

/// Sets a number of a socket; false where the kernel refuses.
pub(super) fn set(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> bool {
    let length = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or(0);
    // SAFETY: the option's value is one live `c_int`, as long as is said, and the descriptor is open over the call.
    let status = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, std::ptr::from_ref(&value).cast(), length)
    };
    status == 0
}
