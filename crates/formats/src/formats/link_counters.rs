//! What an interface counted, and whether its wire is plugged in: rtnetlink(7).

use crate::Format;
use crate::netlink::{attributes_after, string, u32_at};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "link-counters",
    doc: "Counters, carrier and hardware address of a network interface.",
    manual: "rtnetlink(7), <linux/if_link.h> (IFLA_STATS64, IFLA_CARRIER, IFLA_CARRIER_CHANGES)",
    samples: &[
        b"\0\0\x01\0\x02\0\0\0\x43\x10\x01\0\0\0\0\0\x09\0\x03\0eth0\0\0\0\0\x0a\0\x01\0\x02\0\0\0\0\x01\0\0\x05\0\x21\0\x01\0\0\0\x08\0\x23\0\x03\0\0\0\x14\0\x17\0\x07\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0",
    ],
    feed: |bytes| drop(link(bytes)),
};

/// An interface as it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Number in its namespace.
    pub index: u32,
    /// Name.
    pub name: Text,
    /// Hardware type (`ARPHRD_`): 1 Ethernet, 772 loopback.
    pub hardware: u16,
    /// Hardware address, where it has one of six bytes.
    pub address: Option<[u8; 6]>,
    /// Whether it is up as an administrator wants it (`IFF_UP`).
    pub up: bool,
    /// Whether it is a loopback (`IFF_LOOPBACK`).
    pub loopback: bool,
    /// Whether its wire is plugged in; `None` where the kernel does not say.
    pub carrier: Option<bool>,
    /// How often that changed.
    pub carrier_changes: u32,
    /// Packets received.
    pub received: u64,
    /// Packets handed to the device.
    pub sent: u64,
    /// Packets that came and were thrown away before any program could see them: by the device for want of room, or by
    /// the kernel before its own queue (`rx_dropped`, `rx_over_errors`, `rx_fifo_errors`, `rx_missed_errors`).
    pub missed: u64,
}

/// `struct ifinfomsg` and its attributes (`RTM_NEWLINK`).
pub fn link(body: &[u8]) -> Option<Counters> {
    let flags = u32_at(body, 8)?;
    let mut link = Counters {
        hardware: crate::netlink::u16_at(body, 2)?,
        index: u32_at(body, 4)?,
        up: flags & 0x1 != 0,
        loopback: flags & 0x8 != 0,
        ..Counters::default()
    };
    for (kind, value) in attributes_after(body, 16) {
        match kind {
            1 => link.address = value.try_into().ok(),
            3 => link.name = string(value).into(),
            33 => link.carrier = value.first().map(|plugged| *plugged != 0),
            35 => link.carrier_changes = u32_at(value, 0)?,
            // `struct rtnl_link_stats64`, by position.
            23 => {
                let numbers: Vec<u64> = value
                    .chunks_exact(8)
                    .filter_map(|bytes| bytes.first_chunk::<8>())
                    .map(|bytes| u64::from_ne_bytes(*bytes))
                    .collect();
                let number = |at: usize| numbers.get(at).copied().unwrap_or(0);
                (link.received, link.sent) = (number(0), number(1));
                link.missed = [6, 11, 14, 15].map(number).iter().fold(0, |sum, one| sum.saturating_add(*one));
            }
            _ => {}
        }
    }
    Some(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_read() {
        let found = link(FORMAT.samples[0]).unwrap();
        assert_eq!((found.index, found.name, found.hardware), (2, "eth0".into(), 1));
        assert_eq!((found.address, found.carrier), (Some([2, 0, 0, 0, 0, 1]), Some(true)));
        assert_eq!((found.carrier_changes, found.received, found.sent), (3, 7, 9));
        assert!(found.up && !found.loopback);
    }

    #[test]
    fn what_no_program_could_see_is_summed_up() {
        let mut body = FORMAT.samples[0][..16].to_vec();
        body.extend([4 + 8 * 16, 0, 23, 0]);
        body.extend((1..=16_u64).flat_map(u64::to_ne_bytes));
        assert_eq!(link(&body).unwrap().missed, 7 + 12 + 15 + 16);
    }
}
