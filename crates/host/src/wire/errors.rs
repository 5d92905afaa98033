//! Errors that came back for a packet: the socket's error queue (ip(7), `IP_RECVERR`).

use super::{Came, message, raw, sockaddr};
use rustix::fd::OwnedFd;

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6` (`<linux/errqueue.h>`): the error came in a packet.
const FROM_PACKETS: [u8; 2] = [2, 3];
/// Length of `struct sock_extended_err`, which the offender's address follows.
const EXTENDED: usize = 16;

/// Asks the kernel to keep errors that come back.
pub(super) fn wanted(socket: &OwnedFd, six: bool) {
    // Without it, errors of unconnected sockets are not told; the shot is as good.
    let _ = if six {
        raw::set_int(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1)
    } else {
        raw::set_int(socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1)
    };
}

/// The next error that came in a packet.
pub(super) fn next(socket: &OwnedFd) -> Option<Came> {
    let mut buffer = [0; 512];
    for _ in 0..16 {
        let received = raw::receive(socket, &mut buffer, libc::MSG_ERRQUEUE).ok()?;
        for (level, kind, value) in message::parts(&received.control) {
            let four = (level, kind) == (libc::IPPROTO_IP, libc::IP_RECVERR);
            let six = (level, kind) == (libc::IPPROTO_IPV6, libc::IPV6_RECVERR);
            if let (true, Some([_, _, _, _, origin, kind, code, ..])) =
                (four || six, value.first_chunk::<EXTENDED>())
                && FROM_PACKETS.contains(origin)
            {
                let offender = value.get(EXTENDED..).and_then(sockaddr::address);
                return Some(Came::Error { by: offender.map(|at| at.ip()), kind: *kind, code: *code });
            }
        }
    }
    None
}
