//! Tracked connections: `<linux/netfilter/nfnetlink_conntrack.h>`.

use crate::Format;
use crate::netlink::{address, attribute, attributes_after, be16_at, be32_at, be64_at};
use std::net::IpAddr;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "conntrack",
    doc: "The kernel's table of tracked connections.",
    manual: "conntrack(8), <linux/netfilter/nfnetlink_conntrack.h>",
    samples: &[
        b"\x02\0\0\0\x34\0\x01\x80\x14\0\x01\x80\x08\0\x01\0\x0a\0\0\x01\x08\0\x02\0\x0a\0\0\x02\x1c\0\x02\x80\x05\0\x01\0\x06\0\0\0\x06\0\x02\0\x9c\x40\0\0\x06\0\x03\0\x00\x16\0\0\x08\0\x03\0\0\0\0\x0e\x10\0\x04\x80\x0c\0\x01\x80\x05\0\x01\0\x03\0\0\0\x10\0\x09\x80\x0c\0\x02\0\0\0\0\0\0\0\x10\x00",
    ],
    feed: |bytes| _ = connection(bytes),
};

/// One direction of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuple {
    /// Sender.
    pub from: IpAddr,
    /// Sender's port, 0 where the protocol has none.
    pub from_port: u16,
    /// Receiver.
    pub to: IpAddr,
    /// Receiver's port.
    pub to_port: u16,
    /// IP protocol number.
    pub protocol: u8,
}

/// A tracked connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// As the first packet came.
    pub original: Tuple,
    /// As answers come; differs in more than direction where addresses are translated.
    pub reply: Option<Tuple>,
    /// Status bits (`IPS_`): 2 answer seen, 8 confirmed, 0x10 source translated, 0x20 destination translated.
    pub status: u32,
    /// TCP state (`TCP_CONNTRACK_`).
    pub tcp_state: Option<u8>,
    /// Seconds until it is forgotten.
    pub timeout: u32,
    /// Bytes as sent and as answered, where the kernel counts them.
    pub bytes: Option<(u64, u64)>,
}

/// `struct nfgenmsg` with `CTA_` attributes.
pub fn connection(body: &[u8]) -> Option<Connection> {
    let (mut original, mut reply, mut tcp_state) = (None, None, None);
    let (mut status, mut timeout) = (0, 0);
    let (mut sent, mut answered) = (None, None);
    for (kind, value) in attributes_after(body, 4) {
        match kind {
            1 => original = tuple(value),
            2 => reply = tuple(value),
            3 => status = be32_at(value, 0)?,
            4 => {
                let tcp = attribute(value, 1).and_then(|tcp| attribute(tcp, 1));
                tcp_state = tcp.and_then(|state| state.first().copied());
            }
            7 => timeout = be32_at(value, 0)?,
            9 => sent = counted(value),
            10 => answered = counted(value),
            _ => {}
        }
    }
    let bytes = sent.or(answered).map(|_| (sent.unwrap_or(0), answered.unwrap_or(0)));
    Some(Connection { original: original?, reply, status, tcp_state, timeout, bytes })
}

fn counted(value: &[u8]) -> Option<u64> {
    attribute(value, 2).and_then(|bytes| be64_at(bytes, 0))
}

fn tuple(value: &[u8]) -> Option<Tuple> {
    let (ip, protocol) = (attribute(value, 1)?, attribute(value, 2)?);
    let side = |v4, v6| {
        attribute(ip, v4)
            .and_then(|bytes| address(bytes, 2))
            .or_else(|| attribute(ip, v6).and_then(|bytes| address(bytes, 10)))
    };
    let port = |kind| attribute(protocol, kind).and_then(|port| be16_at(port, 0)).unwrap_or(0);
    Some(Tuple {
        from: side(1, 3)?,
        to: side(2, 4)?,
        from_port: port(2),
        to_port: port(3),
        protocol: *attribute(protocol, 1)?.first()?,
    })
}

/// Name of a TCP state of `<linux/netfilter/nf_conntrack_tcp.h>`.
pub fn tcp_state_name(state: u8) -> &'static str {
    const NAMES: [&str; 10] = [
        "none",
        "syn-sent",
        "syn-received",
        "established",
        "fin-wait",
        "close-wait",
        "last-ack",
        "time-wait",
        "closed",
        "syn-sent-2",
    ];
    NAMES.get(usize::from(state)).copied().unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_read() {
        let connection = connection(FORMAT.samples[0]).unwrap();
        assert_eq!((connection.original.from_port, connection.original.to_port), (40000, 22));
        assert_eq!(
            (connection.tcp_state.map(tcp_state_name), connection.bytes),
            (Some("established"), Some((4096, 0)))
        );
    }
}
