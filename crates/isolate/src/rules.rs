//! What the packet filter is to hold in a namespace: plain values, made from what was found there and what is to stay.
//!
//! Every chain drops what no rule accepts, and stands before every other at its hook: a drop is final there, an accept is
//! not, so rules of others still apply to what is kept. The families: `netdev` at each device that leads out (nothing of the
//! kernel's own stack comes before it but BPF), `inet` at all hooks, `arp`, and `bridge` where bridges are.

mod flows;

use crate::Kept;
use crate::survey::{Leads, Place};
use calma_record::Text;
pub use flows::Lease;
use flows::{Flows, Layer, Way};
use std::net::{IpAddr, Ipv4Addr};

/// A family of tables (`NFPROTO_` of `<linux/netfilter.h>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4 and IPv6.
    Inet,
    /// ARP.
    Arp,
    /// A device's own way in and out.
    Netdev,
    /// Frames between the ports of bridges.
    Bridge,
}

/// Where a chain hooks in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// `inet`: before routing.
    Prerouting,
    /// `inet`, `arp`: to this host.
    Input,
    /// `inet`, `bridge`: through this host.
    Forward,
    /// `inet`, `arp`: from this host.
    Output,
    /// `inet`: after routing.
    Postrouting,
    /// `netdev`: in at a device.
    Ingress,
    /// `netdev`: out at a device (Linux 5.16).
    Egress,
}

/// One thing that a packet must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It came in at one of these devices, by number.
    In(Vec<u32>),
    /// It goes out at one of these devices, by number.
    Out(Vec<u32>),
    /// Its Ethernet type (`<linux/if_ether.h>`).
    EtherType(u16),
    /// It is IPv4 (false: IPv6).
    IsV4(bool),
    /// From this address.
    Source(IpAddr),
    /// To this address.
    Destination(IpAddr),
    /// From fe80::/10 (RFC 4291).
    SourceOnLink,
    /// To fe80::/10.
    DestinationOnLink,
    /// Its protocol (IANA): 1 ICMP, 6 TCP, 17 UDP, 58 ICMPv6.
    Protocol(u8),
    /// Its source port.
    SourcePort(u16),
    /// Its destination port.
    DestinationPort(u16),
    /// It is a fragment of IPv4 other than the first.
    LaterFragment,
    /// Type of ICMP or ICMPv6.
    IcmpKind(u8),
    /// Code of ICMP or ICMPv6.
    IcmpCode(u8),
    /// Its IPv6 hop limit.
    HopLimit(u8),
    /// It reports an error of a packet that was sent to this address.
    ErrorOf(IpAddr),
    /// From this hardware address.
    EtherSource([u8; 6]),
    /// To this hardware address.
    EtherDestination([u8; 6]),
    /// An ARP message whose sender has this address (RFC 826).
    ArpSender(Ipv4Addr),
    /// An ARP message about this address.
    ArpTarget(Ipv4Addr),
}

/// A rule: what passes all tests is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it lets through, in words: kept with the rule, and counted under this name.
    pub name: String,
    /// All of these.
    pub tests: Vec<Test>,
}

/// A chain that drops whatever no rule of it accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its name in its table.
    pub name: String,
    /// Where it hooks in.
    pub hook: Hook,
    /// The device, for `netdev`.
    pub device: Option<Text>,
    /// What it accepts.
    pub rules: Vec<Rule>,
}

/// A table with its chains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its family.
    pub family: Family,
    /// Its chains.
    pub chains: Vec<Chain>,
}

/// What is to stay, and what the kernel can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Peers.
    pub kept: Vec<Kept>,
    /// Ports of this host that everybody may reach again (a release in stages).
    pub open: Vec<u16>,
    /// Leases that must be renewed.
    pub leases: Vec<Lease>,
    /// Ethernet types of the link itself that stay: 0x8809 for aggregated links, 0x888e where the switch asks who is there.
    pub link_types: Vec<u16>,
    /// A witness that hears the guard's signs of life.
    pub beat: Option<IpAddr>,
    /// Whether the kernel has a hook at the way out of a device.
    pub egress: bool,
    /// Whether the kernel takes tables away with their owner.
    pub owner: bool,
}

/// The tables for a namespace.
pub fn tables(place: &Place, wanted: &Wanted) -> Vec<Table> {
    let flows = Flows::of(place, wanted);
    let mut tables = vec![inet(place, &flows), netdev(place, wanted, &flows), arp(&flows)];
    let bridges = place.devices.iter().any(|device| device.link.kind == "bridge");
    if bridges {
        let rules = vec![Rule {
            name: "between ports inside this host".to_owned(),
            tests: vec![Test::In(place.harmless()), Test::Out(place.harmless())],
        }];
        tables.push(Table { family: Family::Bridge, chains: vec![chain(Hook::Forward, rules)] });
    }
    tables
}

fn chain(hook: Hook, rules: Vec<Rule>) -> Chain {
    Chain { name: format!("{hook:?}").to_lowercase(), hook, device: None, rules }
}

fn inet(place: &Place, flows: &Flows<'_>) -> Table {
    let inside = place.harmless();
    let (from, to) = (Test::In(inside.clone()), Test::Out(inside));
    let name = || "inside this host".to_owned();
    let coming = |hook| {
        let mut rules = vec![Rule { name: name(), tests: vec![from.clone()] }];
        rules.extend(flows.rules(Way::In, Layer::Network));
        chain(hook, rules)
    };
    let going = |hook| {
        let mut rules = vec![Rule { name: name(), tests: vec![to.clone()] }];
        rules.extend(flows.rules(Way::Out, Layer::Network));
        chain(hook, rules)
    };
    let through = vec![Rule { name: name(), tests: vec![from.clone(), to.clone()] }];
    Table {
        family: Family::Inet,
        chains: vec![
            coming(Hook::Prerouting),
            coming(Hook::Input),
            chain(Hook::Forward, through),
            going(Hook::Output),
            going(Hook::Postrouting),
        ],
    }
}

fn netdev(place: &Place, wanted: &Wanted, flows: &Flows<'_>) -> Table {
    let mut chains = Vec::new();
    for device in place.devices.iter().filter(|device| device.leads == Leads::Outward) {
        let hooks = [(Hook::Ingress, Way::In), (Hook::Egress, Way::Out)];
        for (hook, way) in hooks.into_iter().filter(|(hook, _)| *hook == Hook::Ingress || wanted.egress) {
            let mut rules = flows.rules(way, Layer::Link);
            rules.extend(flows.arp(way));
            for kind in &wanted.link_types {
                let name = format!("link, type {kind:#06x}");
                rules.push(Rule { name, tests: vec![Test::EtherType(*kind)] });
            }
            let mut chain = chain(hook, rules);
            // A device's name may hold anything but a slash; its number is what is unique.
            chain.name = format!("{}-{}", chain.name, device.link.index);
            chain.device = Some(device.link.name.clone());
            chains.push(chain);
        }
    }
    Table { family: Family::Netdev, chains }
}

fn arp(flows: &Flows<'_>) -> Table {
    let chains = vec![chain(Hook::Input, flows.arp(Way::In)), chain(Hook::Output, flows.arp(Way::Out))];
    Table { family: Family::Arp, chains }
}

#[cfg(test)]
mod tests;
