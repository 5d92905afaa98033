//! Connected sockets of calma's network namespace, by their two ends (sock_diag(7), linux/inet_diag.h).

use crate::live::netlink::answer;
use crate::netlink::messages;
use crate::{HostError, Protocol, Request};
use calma_record::step::{SocketFound, SocketName};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Message for sockets of one family (`SOCK_DIAG_BY_FAMILY`).
const BY_FAMILY: u16 = 20;
/// Length of `struct inet_diag_sockid`: ports, addresses, interface and the kernel's own number of the socket.
const ID: usize = 48;

/// The two ends as addresses; nothing where they are written otherwise.
fn ends(name: &SocketName) -> Option<(u8, SocketAddr, SocketAddr)> {
    let protocol = match name.protocol.as_str() {
        "tcp" => 6,
        "udp" => 17,
        _ => return None,
    };
    let end = |text: &str| -> Option<SocketAddr> {
        // A scope of a link-local address is an interface's name, which the kernel gives apart.
        let (address, port) = text.rsplit_once(':')?;
        let address = address.trim_start_matches('[').trim_end_matches(']').split('%').next()?;
        Some(SocketAddr::new(address.parse::<IpAddr>().ok()?.to_canonical(), port.parse().ok()?))
    };
    Some((protocol, end(&name.local)?, end(&name.remote)?))
}

/// Looks for a socket by its two ends.
///
/// # Errors
/// When the kernel does not tell its sockets, or the ends are no addresses (`EINVAL`).
pub fn socket(name: &SocketName) -> Result<Option<SocketFound>, HostError> {
    let Some((protocol, local, remote)) = ends(name) else {
        return Err(HostError::errno("sock_diag", name.local.as_str(), rustix::io::Errno::INVAL));
    };
    let mut last = None;
    // AF_INET and AF_INET6: a socket of the latter also speaks to addresses of the former.
    for family in [2_u8, 10] {
        let mut body = vec![0; 8 + ID];
        if let Some(head) = body.get_mut(..8) {
            head.copy_from_slice(&[family, protocol, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        }
        let told = match answer(&Request::dump(Protocol::SOCK_DIAG, BY_FAMILY, body)) {
            Ok(told) => told,
            Err(error) => {
                last = Some(error);
                continue;
            }
        };
        let mut sockets = messages(&told.messages).flatten().filter_map(|told| parse(protocol, told.body));
        if let Some((found, _)) = sockets.find(|(_, ends)| *ends == (local, remote)) {
            return Ok(Some(found));
        }
    }
    last.map_or(Ok(None), Err)
}

/// One `struct inet_diag_msg`, with its two ends.
fn parse(protocol: u8, message: &[u8]) -> Option<(SocketFound, (SocketAddr, SocketAddr))> {
    let (family, state) = (*message.first()?, *message.get(1)?);
    let id = message.get(4..4 + ID)?;
    let port = |at: usize| Some(u16::from_be_bytes(id.get(at..at + 2)?.try_into().ok()?));
    let address = |at: usize| -> Option<IpAddr> {
        if family == 2 {
            return Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(id.get(at..at + 4)?).ok()?)));
        }
        let bytes: [u8; 16] = id.get(at..at + 16)?.try_into().ok()?;
        Some(IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical())
    };
    let ends = (SocketAddr::new(address(4)?, port(0)?), SocketAddr::new(address(20)?, port(2)?));
    let inode = u32::from_ne_bytes(message.get(4 + ID + 16..4 + ID + 20)?.try_into().ok()?);
    Some((SocketFound { family, protocol, state, id: id.to_vec(), inode }, ends))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test, on loopback")]
mod tests {
    use super::*;

    #[test]
    fn a_connection_of_this_process_is_found_by_its_ends() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = std::net::TcpListener::bind(address) else { continue };
            let there = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let name = SocketName {
                protocol: "tcp".to_owned(),
                local: there.local_addr().unwrap().to_string(),
                remote: there.peer_addr().unwrap().to_string(),
            };
            let found = socket(&name).unwrap().unwrap();
            assert_eq!((found.state, found.protocol), (1, 6));
            let link =
                std::fs::read_link(format!("/proc/self/fd/{}", rustix::fd::AsRawFd::as_raw_fd(&there)));
            assert_eq!(link.unwrap().to_str().unwrap(), format!("socket:[{}]", found.inode));
            let other = SocketName { remote: "192.0.2.9:9".to_owned(), ..name };
            assert_eq!(socket(&other).unwrap(), None);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for local in ["", "x", "1.2.3.4", ":1", "/run/x:1"] {
            let name = SocketName {
                protocol: "tcp".to_owned(),
                local: local.to_owned(),
                remote: "127.0.0.1:1".to_owned(),
            };
            assert!(socket(&name).is_err(), "{local}");
        }
    }
}
