//! Tables and chains of nf_tables: `<linux/netfilter/nf_tables.h>`.

use crate::Format;
use crate::netlink::{attribute, attributes_after, be32_at, string};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "nf_tables",
    doc: "Tables and chains of the kernel's packet filter.",
    manual: "nft(8), <linux/netfilter/nf_tables.h>",
    samples: &[
        b"\x01\0\0\0\x06\0\x01\0fw\0\0\x08\0\x02\0\0\0\0\0\x08\0\x03\0\0\0\0\x02",
        b"\x01\0\0\0\x06\0\x01\0fw\0\0\x07\0\x03\0in\0\0\x14\0\x04\x80\x08\0\x01\0\0\0\0\x01\x08\0\x02\0\xff\xff\xfe\xd4\x08\0\x05\0\0\0\0\x01\x08\0\x06\0\0\0\0\x03",
    ],
    feed: |bytes| drop((table(bytes), chain(bytes))),
};

/// A table (`NFT_MSG_NEWTABLE`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Family: `inet`, `ip`, `ip6`, `arp`, `bridge`, `netdev`.
    pub family: &'static str,
    /// Name.
    pub name: Text,
    /// Flags: 1 dormant, 2 owned by a process.
    pub flags: u32,
    /// Netlink port of the process that owns it, 0 if none.
    pub owner: u32,
}

/// `struct nfgenmsg` with `NFTA_TABLE_` attributes.
pub fn table(body: &[u8]) -> Option<Table> {
    let mut table = Table { family: family(*body.first()?), ..Table::default() };
    for (kind, value) in attributes_after(body, 4) {
        match kind {
            1 => table.name = string(value).into(),
            2 => table.flags = be32_at(value, 0)?,
            7 => table.owner = be32_at(value, 0)?,
            _ => {}
        }
    }
    (!table.name.is_empty()).then_some(table)
}

/// A chain (`NFT_MSG_NEWCHAIN`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Family, as of its table.
    pub family: &'static str,
    /// Its table.
    pub table: Text,
    /// Name.
    pub name: Text,
    /// The hook it hangs at and its priority; `None` for a chain that only others jump to.
    pub hook: Option<(&'static str, i32)>,
    /// Whether packets that match nothing are dropped.
    pub drops: bool,
    /// How many rules and jumps use it.
    pub uses: u32,
}

/// `struct nfgenmsg` with `NFTA_CHAIN_` attributes.
pub fn chain(body: &[u8]) -> Option<Chain> {
    let mut chain = Chain { family: family(*body.first()?), ..Chain::default() };
    for (kind, value) in attributes_after(body, 4) {
        match kind {
            1 => chain.table = string(value).into(),
            3 => chain.name = string(value).into(),
            4 => {
                let number = attribute(value, 1).and_then(|number| be32_at(number, 0))?;
                let priority = attribute(value, 2).and_then(|number| be32_at(number, 0))?;
                chain.hook = Some((hook(chain.family, number), priority.cast_signed()));
            }
            5 => chain.drops = be32_at(value, 0)? == 0,
            6 => chain.uses = be32_at(value, 0)?,
            _ => {}
        }
    }
    (!chain.name.is_empty()).then_some(chain)
}

/// `NFPROTO_` numbers of `<linux/netfilter.h>`.
fn family(number: u8) -> &'static str {
    match number {
        1 => "inet",
        2 => "ip",
        3 => "arp",
        5 => "netdev",
        7 => "bridge",
        10 => "ip6",
        _ => "unknown",
    }
}

/// `NF_INET_`, `NF_ARP_` and `NF_NETDEV_` hook numbers.
fn hook(family: &str, number: u32) -> &'static str {
    let names: &[&str] = match family {
        "arp" => &["input", "output", "forward"],
        "netdev" => &["ingress", "egress"],
        _ => &["prerouting", "input", "forward", "output", "postrouting", "ingress"],
    };
    usize::try_from(number).ok().and_then(|at| names.get(at)).copied().unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_read() {
        assert_eq!(table(FORMAT.samples[0]).unwrap().name, "fw");
        let chain = chain(FORMAT.samples[1]).unwrap();
        assert_eq!((chain.name, chain.hook), ("in".into(), Some(("input", -300))));
        assert_eq!((chain.drops, chain.uses), (false, 3));
    }
}
