//! Rows of the socket table from what sock_diag and /proc/net tell.

use calma_formats::classic_bpf;
use calma_formats::sock_diag::{Inet, Netlink, Packet, Unix, Vsock, Xdp, state_name};
use calma_record::kinds::Socket;
use std::net::IpAddr;

/// Longest filter text that is kept.
const FILTER: usize = 8 << 10;

/// `ADDRESS:PORT`, with brackets around an IPv6 address.
pub(crate) fn endpoint(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}

fn row(family: &str, protocol: impl Into<String>, inode: u32) -> Socket {
    Socket { family: family.to_owned(), protocol: protocol.into(), inode: inode.into(), ..Socket::default() }
}

pub(super) fn inet(socket: &Inet, protocol: &str) -> Socket {
    let family = if socket.family == 2 { "inet" } else { "inet6" };
    let raw = protocol == "raw";
    let protocol = match (raw, socket.local_port) {
        (true, 1) => "icmp".to_owned(),
        (true, 58) => "icmpv6".to_owned(),
        (true, number) => format!("raw {number}"),
        _ => protocol.to_owned(),
    };
    let port = |port: u16| if raw { 0 } else { port };
    let remote = !socket.remote.is_unspecified() || port(socket.remote_port) != 0;
    Socket {
        local: socket.local.to_string().into(),
        local_port: port(socket.local_port).into(),
        remote: if remote { socket.remote.to_string().into() } else { Default::default() },
        remote_port: port(socket.remote_port).into(),
        state: state_name(socket.state).to_owned(),
        uid: Some(socket.uid),
        ..row(family, protocol, socket.inode)
    }
}

pub(super) fn unix(socket: &Unix) -> Socket {
    let protocol = match socket.kind {
        1 => "stream",
        2 => "dgram",
        5 => "seqpacket",
        _ => "unknown",
    };
    Socket {
        local: socket.name.clone(),
        state: state_name(socket.state).to_owned(),
        uid: socket.uid,
        peer: socket.peer.unwrap_or(0).into(),
        ..row("unix", protocol, socket.inode)
    }
}

pub(super) fn packet(socket: &Packet) -> Socket {
    let filter = socket.filter.as_deref().unwrap_or_default();
    let mut text = classic_bpf::disassembly(filter);
    text.truncate(FILTER);
    let compared = classic_bpf::compared(filter).into_iter().take(64).map(|compared| {
        let base = if compared.indexed { "x+" } else { "" };
        format!("{} bytes at {base}{} with {:#x}", compared.width, compared.offset, compared.value)
    });
    Socket {
        uid: socket.uid,
        filter_length: u32::try_from(filter.len()).unwrap_or(u32::MAX),
        filter: text,
        compared: compared.collect(),
        ..row("packet", format!("{:#06x}", socket.protocol), socket.inode)
    }
}

pub(super) fn netlink(socket: &Netlink) -> Socket {
    Socket { local_port: socket.port, ..row("netlink", socket.protocol.to_string(), socket.inode) }
}

pub(super) fn vsock(socket: &Vsock) -> Socket {
    Socket {
        local: socket.local.0.to_string().into(),
        local_port: socket.local.1,
        remote: socket.remote.0.to_string().into(),
        remote_port: socket.remote.1,
        state: state_name(socket.state).to_owned(),
        ..row("vsock", "", socket.inode)
    }
}

pub(super) fn xdp(socket: &Xdp) -> Socket {
    Socket { uid: socket.uid, ..row("xdp", "", socket.inode) }
}
