//! Addresses lent by a DHCP server, as the clients write them down: dhclient.leases(5), RFC 2131.

use crate::netlink::{be32_at, be64_at};
use crate::{Format, lines};
use std::net::{IpAddr, Ipv4Addr};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "dhcp-lease",
    doc: "Leases of DHCP clients: of systemd-networkd and NetworkManager, of dhclient, of dhcpcd.",
    manual: "dhclient.leases(5), systemd-networkd(8), dhcpcd(8), RFC 2131, RFC 2132",
    samples: &[
        b"# This is private data. Do not parse.\nADDRESS=192.0.2.10\nSERVER_ADDRESS=192.0.2.1\nLIFETIME=3600\nT1=1800\n",
        b"lease {\n  interface \"eth0\";\n  fixed-address 192.0.2.10;\n  option dhcp-server-identifier 192.0.2.1;\n  expire 4 2026/11/26 10:20:30;\n}\nlease {\n  interface \"eth1\";\n  fixed-address 192.0.2.11;\n  expire never;\n}\n",
    ],
    feed: |bytes| {
        drop((keyed(bytes), dhclient(bytes)));
        _ = packet(bytes);
    },
};

/// Most leases taken from one file.
const MOST: usize = 1000;

/// One lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// The interface, where the file says it.
    pub interface: String,
    /// The lent address.
    pub address: Option<IpAddr>,
    /// The server that lent it.
    pub server: Option<IpAddr>,
    /// For how many seconds from when it was written.
    pub seconds: Option<u64>,
    /// Seconds since 1970 at which it ends, where the file says it so.
    pub ends: Option<i64>,
}

/// A lease as `KEY=VALUE` (systemd-networkd's and NetworkManager's own client).
pub fn keyed(bytes: &[u8]) -> Option<Lease> {
    let mut lease = Lease::default();
    for (_, line) in lines::meaningful(bytes) {
        let Some((key, value)) = lines::cut(line, b'=') else { continue };
        let value = std::str::from_utf8(value.trim_ascii()).unwrap_or_default();
        match key.trim_ascii() {
            b"ADDRESS" => lease.address = value.parse().ok(),
            b"SERVER_ADDRESS" => lease.server = value.parse().ok(),
            b"LIFETIME" => lease.seconds = value.parse().ok(),
            b"EXPIRY" => lease.ends = value.parse().ok(),
            _ => {}
        }
    }
    lease.address.is_some().then_some(lease)
}

/// The leases of a file of dhclient, in their order; for an interface the last one counts.
pub fn dhclient(bytes: &[u8]) -> Vec<Lease> {
    let mut leases = Vec::new();
    let mut open: Option<Lease> = None;
    for (_, line) in lines::meaningful(bytes) {
        let line = line.trim_ascii();
        if line.starts_with(b"lease") && line.ends_with(b"{") {
            open = Some(Lease::default());
        } else if line.starts_with(b"}") {
            leases.extend(open.take().filter(|lease| lease.address.is_some()));
            if leases.len() >= MOST {
                break;
            }
        } else if let Some(lease) = &mut open {
            let words: Vec<&str> = std::str::from_utf8(line.strip_suffix(b";").unwrap_or(line))
                .unwrap_or_default()
                .split_whitespace()
                .collect();
            match words.as_slice() {
                ["interface", name] => name.trim_matches('"').clone_into(&mut lease.interface),
                ["fixed-address", address] => lease.address = address.parse().ok(),
                ["option", "dhcp-server-identifier", server] => lease.server = server.parse().ok(),
                ["expire", "epoch", seconds, ..] => lease.ends = seconds.parse().ok(),
                ["expire", _, day, time] => lease.ends = instant(day, time),
                _ => {}
            }
        }
    }
    leases
}

/// `2026/11/26` and `10:20:30` in UTC, as seconds since 1970.
fn instant(day: &str, time: &str) -> Option<i64> {
    let numbers = |text: &str, by: char| -> Option<[i64; 3]> {
        let mut parts = text.split(by).map(|part| part.parse::<u16>().map(i64::from));
        Some([parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?])
    };
    let ([year, month, day], [hour, minute, second]) = (numbers(day, '/')?, numbers(time, ':')?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days from 1970 in the proleptic Gregorian calendar, years counted from March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// A lease as the packet that brought it (dhcpcd): the fixed part of BOOTP, the magic number, options.
pub fn packet(bytes: &[u8]) -> Option<Lease> {
    // 2: a reply. The options begin behind 236 bytes and the magic number of RFC 2132.
    if *bytes.first()? != 2 || be32_at(bytes, 236)? != 0x6382_5363 {
        return None;
    }
    let four = |at: usize| be32_at(bytes, at).map(|bits| IpAddr::V4(Ipv4Addr::from(bits)));
    let mut lease = Lease { address: four(16), ..Lease::default() };
    let mut at = 240;
    while let Some(code) = bytes.get(at).copied() {
        let length = match code {
            0 => {
                at += 1;
                continue;
            }
            255 => break,
            _ => usize::from(*bytes.get(at + 1)?),
        };
        match (code, length) {
            (51, 4) => lease.seconds = be32_at(bytes, at + 2).map(u64::from),
            (54, 4) => lease.server = four(at + 2),
            _ => {}
        }
        at += 2 + length;
    }
    // All zero: nothing was lent.
    (be64_at(bytes, 12)? & 0xffff_ffff != 0).then_some(lease)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn the_samples_are_read() {
        let lease = keyed(FORMAT.samples[0]).unwrap();
        assert_eq!((lease.address, lease.server, lease.seconds), (address(10), address(1), Some(3600)));
        let leases = dhclient(FORMAT.samples[1]);
        assert_eq!((leases.len(), leases[0].interface.as_str(), leases[0].server), (2, "eth0", address(1)));
        // date -u -d '2026-11-26 10:20:30' +%s
        assert_eq!((leases[0].ends, leases[1].ends), (Some(1_795_688_430), None));
        assert_eq!((keyed(FORMAT.samples[1]), dhclient(FORMAT.samples[0])), (None, Vec::new()));
    }

    #[test]
    fn a_reply_is_read_and_a_lying_option_ends_it() {
        let mut bytes = vec![0; 236];
        bytes[0] = 2;
        bytes[16..20].copy_from_slice(&[192, 0, 2, 10]);
        bytes.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 5, 0, 54, 4, 192, 0, 2, 1, 51, 4, 0, 0, 14, 16, 255]);
        let lease = packet(&bytes).unwrap();
        assert_eq!((lease.address, lease.server, lease.seconds), (address(10), address(1), Some(3600)));
        bytes.truncate(249);
        assert_eq!(packet(&bytes).unwrap().server, None);
        bytes[0] = 1;
        assert_eq!(packet(&bytes), None);
    }
}
