//! Sockets as /proc/PID/net shows them: proc(5).

use crate::sock_diag::{Inet, Netlink, Packet, Unix};
use crate::{Format, lines};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "proc_net",
    doc: "Tables of sockets under /proc/PID/net.",
    manual: "proc(5), packet(7)",
    samples: &[
        b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100 0 0 10 0\n   1: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     7        0 12346 1 0\n",
        b"sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n000000001234 3      3    0003   2     1 0      0      777\n",
        b"Num       RefCount Protocol Flags    Type St Inode Path\n0000000000000000: 00000002 00000000 00010000 0001 01 16163 /run/a b\n0000000000000000: 00000003 00000000 00000000 0001 03 16164\n",
        b"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n0000000000000000 0   721        00000551 0        0        0     2        0        4242\n",
    ],
    feed: |bytes| {
        drop((inet(bytes), packet(bytes)));
        drop((unix(bytes), netlink(bytes), names(bytes)));
    },
};

/// tcp, tcp6, udp, udp6, udplite, raw, raw6, icmp, icmp6.
pub fn inet(text: &[u8]) -> Vec<Inet> {
    let line = |line: &[u8]| {
        let words: Vec<&[u8]> = lines::words(line).take(10).collect();
        words.first()?.strip_suffix(b":")?;
        let (family, local, local_port) = endpoint(words.get(1)?)?;
        let (_, remote, remote_port) = endpoint(words.get(2)?)?;
        Some(Inet {
            family,
            state: u8::try_from(hexadecimal(words.get(3)?)?).ok()?,
            local,
            local_port,
            remote,
            remote_port,
            interface: 0,
            uid: lines::decimal(words.get(7)?)?,
            inode: lines::decimal(words.get(9)?)?,
        })
    };
    lines::numbered(text).filter_map(|(_, text)| line(text)).collect()
}

/// `ADDRESS:PORT`: the address as 32-bit words of the machine's byte order, the port as a number.
fn endpoint(word: &[u8]) -> Option<(u8, IpAddr, u16)> {
    let (address, port) = lines::cut(word, b':')?;
    let port = u16::try_from(hexadecimal(port)?).ok()?;
    let mut bytes = [0; 16];
    let mut pieces = address.chunks_exact(8);
    for (piece, to) in (&mut pieces).zip(bytes.chunks_exact_mut(4)) {
        to.copy_from_slice(&hexadecimal(piece)?.to_ne_bytes());
    }
    match address.len() {
        8 => {
            let [a, b, c, d, ..] = bytes;
            Some((2, Ipv4Addr::new(a, b, c, d).into(), port))
        }
        32 => Some((10, Ipv6Addr::from(bytes).into(), port)),
        _ => None,
    }
}

fn hexadecimal(word: &[u8]) -> Option<u32> {
    word.first().filter(|b| b.is_ascii_hexdigit())?;
    u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()
}

/// /proc/PID/net/packet.
pub fn packet(text: &[u8]) -> Vec<Packet> {
    let line = |line: &[u8]| {
        let words: Vec<&[u8]> = lines::words(line).take(9).collect();
        Some(Packet {
            kind: lines::decimal(words.get(2)?)?,
            protocol: u16::try_from(hexadecimal(words.get(3)?)?).ok()?,
            interface: lines::decimal(words.get(4)?)?,
            uid: Some(lines::decimal(words.get(7)?)?),
            inode: lines::decimal(words.get(8)?)?,
            filter: None,
        })
    };
    lines::numbered(text).filter_map(|(_, text)| line(text)).collect()
}

/// /proc/PID/net/unix. A name may hold line ends, so a line here is only what somebody may have written into a name.
pub fn unix(text: &[u8]) -> Vec<Unix> {
    let line = |line: &[u8]| {
        let words: Vec<&[u8]> = lines::words(line).take(7).collect();
        words.first()?.strip_suffix(b":")?;
        let inode_word = *words.get(6)?;
        let name = after(line, 7);
        let listening = hexadecimal(words.get(3)?)? & 0x1_0000 != 0;
        let connected = hexadecimal(words.get(5)?)? == 3;
        Some(Unix {
            kind: u8::try_from(hexadecimal(words.get(4)?)?).ok()?,
            state: if listening {
                10
            } else if connected {
                1
            } else {
                7
            },
            inode: lines::decimal(inode_word)?,
            peer: None,
            name: name.into(),
            uid: None,
        })
    };
    lines::numbered(text).filter_map(|(_, text)| line(text)).collect()
}

/// What follows the first `count` words and one space.
fn after(line: &[u8], count: usize) -> &[u8] {
    let mut rest = line;
    for _ in 0..count {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
        rest = rest.get(end..).unwrap_or_default();
    }
    rest.strip_prefix(b" ").unwrap_or(rest)
}

/// /proc/PID/net/netlink.
pub fn netlink(text: &[u8]) -> Vec<Netlink> {
    let line = |line: &[u8]| {
        let words: Vec<&[u8]> = lines::words(line).take(10).collect();
        Some(Netlink {
            protocol: lines::decimal(words.get(1)?)?,
            port: lines::decimal(words.get(2)?)?,
            inode: lines::decimal(words.get(9)?)?,
        })
    };
    lines::numbered(text).filter_map(|(_, text)| line(text)).collect()
}

/// One name a line: /proc/net/ip_tables_names and its like.
pub fn names(text: &[u8]) -> Vec<calma_record::Text> {
    lines::meaningful(text).map(|(_, name)| name.into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_read() {
        let sockets = inet(FORMAT.samples[0]);
        assert_eq!((sockets[0].local.to_string().as_str(), sockets[0].local_port), ("127.0.0.1", 22));
        assert_eq!((sockets[1].local.to_string().as_str(), sockets[1].uid), ("::1", 7));
        assert_eq!((sockets[1].inode, sockets[1].state), (12346, 10));
        assert_eq!(packet(FORMAT.samples[1])[0].inode, 777);
        let sockets = unix(FORMAT.samples[2]);
        assert_eq!((sockets[0].name.clone(), sockets[0].state), ("/run/a b".into(), 10));
        assert_eq!((sockets[1].inode, sockets[1].state), (16164, 1));
        assert_eq!(netlink(FORMAT.samples[3])[0].port, 721);
    }
}
