//! News of a namespace's network, from two netlink sockets that listen to the kernel's groups.

use super::super::events::{Event, Events, News, of_filter, of_routing};
use super::channel::set;
use crate::live::netlink::inside;
use crate::netlink::messages;
use crate::{HostError, Namespace, Protocol};
use rustix::event::epoll;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};

/// The group of the packet filter (`NFNLGRP_NFTABLES`) as a bit.
const FILTER: u32 = 1 << (7 - 1);
/// `RTNLGRP_` groups (`<linux/rtnetlink.h>`): LINK, TC, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR, IPV6_ROUTE,
/// IPV6_RULE, NSID, NEXTHOP.
const ROUTING: [u32; 10] = [1, 4, 5, 7, 8, 9, 11, 19, 28, 32];
/// Room for messages that wait, in bytes.
const ROOM: i32 = 8 << 20;
/// Most datagrams of one call, so that a flood of news can not keep the caller for ever.
const MOST: usize = 20_000;

/// Two listening sockets and the descriptor that tells when one has something.
#[derive(Debug)]
pub(super) struct LiveEvents {
    filter: Option<OwnedFd>,
    routing: OwnedFd,
    either: OwnedFd,
}

impl LiveEvents {
    pub(super) fn open(namespace: &Namespace) -> Result<Self, HostError> {
        let routing = ROUTING.iter().fold(0, |groups, group| groups | 1 << (group - 1));
        let opened =
            inside(namespace, || (listen(Protocol::NETFILTER, FILTER), listen(Protocol::ROUTE, routing)))?;
        let failed = |errno| HostError::errno("listen", "netlink groups", errno);
        // A kernel without netfilter has no news of it.
        let filter = match opened.0 {
            Err(Errno::PROTONOSUPPORT) => None,
            other => Some(other.map_err(failed)?),
        };
        let routing = opened.1.map_err(failed)?;
        let either = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
        for socket in filter.iter().chain([&routing]) {
            let data = epoll::EventData::new_u64(0);
            epoll::add(&either, socket, data, epoll::EventFlags::IN).map_err(failed)?;
        }
        Ok(Self { filter, routing, either })
    }
}

fn listen(protocol: Protocol, groups: u32) -> Result<OwnedFd, Errno> {
    let protocol = std::num::NonZeroU32::new(protocol.0).map(rustix::net::Protocol::from_raw);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
    if !set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, ROOM) {
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, ROOM);
    }
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

impl Events for LiveEvents {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.either.as_fd()
    }

    fn drain(&mut self) -> Result<Vec<Event>, HostError> {
        let failed = |errno| HostError::errno("listen", "netlink groups", errno);
        let mut events = Vec::new();
        if let Some(filter) = &self.filter {
            take(filter, of_filter, &mut events).map_err(failed)?;
        }
        take(&self.routing, of_routing, &mut events).map_err(failed)?;
        Ok(events)
    }
}

type Read = fn(&crate::netlink::Message<'_>) -> Option<Event>;

fn take(socket: &OwnedFd, read: Read, events: &mut Vec<Event>) -> Result<(), Errno> {
    let lost = Event { news: News::Lost, cause: 0 };
    let mut buffer = vec![0; 64 << 10];
    for _ in 0..MOST {
        let from = match rustix::net::recvfrom(socket, buffer.as_mut_slice(), RecvFlags::TRUNC) {
            Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::INTR) => continue,
            Err(Errno::NOBUFS) => {
                events.push(lost.clone());
                continue;
            }
            other => other?,
        };
        let (_, length, sender) = from;
        // Another process may send to this socket, too.
        let kernel = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
        if kernel.is_none_or(|sender| sender.pid() != 0) {
            continue;
        }
        let Some(bytes) = buffer.get(..length) else {
            events.push(lost.clone());
            continue;
        };
        for message in messages(bytes) {
            match message {
                Ok(message) => events.extend(read(&message)),
                Err(_) => events.push(lost.clone()),
            }
        }
    }
    Ok(())
}
