//! Who takes packets from the kernel's packet filter: /proc/net/netfilter/nfnetlink_queue.

use crate::{Format, lines};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "packet_queue",
    doc: "Queues through which a program decides about packets.",
    manual: "net/netfilter/nfnetlink_queue.c (seq_show)",
    samples: &[b"    0   4711     0 2 65531     0     0       12  1\n    5  -123     0 2 65531     0     0       12  1\n"],
    feed: |bytes| drop(parse(bytes)),
};

/// One queue: its number and the netlink port of the program that holds it, which mostly is its process id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Number of the queue.
    pub number: u32,
    /// Netlink port of its holder; 0 where the kernel chose one that is no process id.
    pub port: u32,
}

/// The queues, at most 10,000.
pub fn parse(bytes: &[u8]) -> Vec<Queue> {
    let one = |(_, line): (u32, &[u8])| {
        let mut words = lines::words(line);
        let number = lines::decimal(words.next()?)?;
        Some(Queue { number, port: lines::decimal(words.next()?).unwrap_or(0) })
    };
    lines::meaningful(bytes).filter_map(one).take(10_000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_and_their_holders() {
        let queues = parse(FORMAT.samples[0]);
        assert_eq!(queues, [Queue { number: 0, port: 4711 }, Queue { number: 5, port: 0 }]);
    }
}
