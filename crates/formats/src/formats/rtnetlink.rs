//! Links, addresses, routes, neighbours and traffic filters: rtnetlink(7).

use crate::Format;
use crate::netlink::{address, attribute, attributes, attributes_after, string, u16_at, u32_at};
use calma_record::Text;
use std::net::IpAddr;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "rtnetlink",
    doc: "Links, addresses, routes, neighbours, and traffic control.",
    manual: "rtnetlink(7), <linux/if_link.h>, <linux/rtnetlink.h>, <linux/neighbour.h>, <linux/pkt_cls.h>",
    samples: &[
        b"\0\0\x01\0\x02\0\0\0\x43\x11\x01\0\0\0\0\0\x09\0\x03\0eth0\0\0\0\0\x08\0\x1e\0\x01\0\0\0\x14\0\x2b\x80\x05\0\x02\0\x02\0\0\0\x08\0\x04\0\x2a\0\0\0",
        b"\x02\x18\0\0\xfe\x03\0\x01\0\0\0\0\x08\0\x01\0\x0a\0\0\0\x08\0\x04\0\x02\0\0\0",
    ],
    feed: |bytes| {
        drop((link(bytes), interface_address(bytes)));
        drop((route(bytes), neighbour(bytes)));
        drop((queue(bytes), traffic_filter(bytes)));
    },
};

/// A network interface (`RTM_NEWLINK`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Number in its namespace.
    pub index: u32,
    /// Name.
    pub name: Text,
    /// Hardware type (`ARPHRD_`).
    pub hardware: u16,
    /// Flags (`IFF_`, netdevice(7)): 0x1 up, 0x100 promiscuous as asked by name.
    pub flags: u32,
    /// Hardware address.
    pub address: Vec<u8>,
    /// Interface it belongs to, as a bridge's port does.
    pub master: Option<u32>,
    /// Interface beneath it.
    pub lower: Option<u32>,
    /// Id of the namespace the lower interface is in, if another.
    pub other_namespace: Option<u32>,
    /// Kind: `bridge`, `veth`, `macvlan`; empty for hardware.
    pub kind: Text,
    /// Kind of the interface it belongs to.
    pub master_kind: Text,
    /// How many parts of the system asked for promiscuous mode.
    pub promiscuity: u32,
    /// Ids of the XDP programs attached.
    pub xdp: Vec<u32>,
}

/// `struct ifinfomsg` and its attributes.
pub fn link(body: &[u8]) -> Option<Link> {
    let mut link = Link {
        hardware: u16_at(body, 2)?,
        index: u32_at(body, 4)?,
        flags: u32_at(body, 8)?,
        ..Link::default()
    };
    for (kind, value) in attributes_after(body, 16) {
        match kind {
            1 => link.address = value.get(..value.len().min(32)).unwrap_or_default().to_vec(),
            3 => link.name = string(value).into(),
            5 => link.lower = u32_at(value, 0),
            10 => link.master = u32_at(value, 0),
            18 => {
                link.kind = attribute(value, 1).map(string).unwrap_or_default().into();
                link.master_kind = attribute(value, 4).map(string).unwrap_or_default().into();
            }
            30 => link.promiscuity = u32_at(value, 0)?,
            37 => link.other_namespace = u32_at(value, 0),
            // IFLA_XDP: the program, and the ones per mode where several are attached.
            43 => {
                let ids = attributes(value).filter(|(kind, _)| (4..=7).contains(kind));
                link.xdp = ids.filter_map(|(_, id)| u32_at(id, 0)).filter(|id| *id != 0).take(8).collect();
                link.xdp.sort_unstable();
                link.xdp.dedup();
            }
            _ => {}
        }
    }
    Some(link)
}

/// An address of an interface (`RTM_NEWADDR`): interface number, address, length of its prefix.
pub fn interface_address(body: &[u8]) -> Option<(u32, IpAddr, u8)> {
    let family = *body.first()?;
    let attributes = body.get(8..)?;
    let value = attribute(attributes, 2).or_else(|| attribute(attributes, 1))?;
    Some((u32_at(body, 4)?, address(value, family)?, *body.get(1)?))
}

/// A route (`RTM_NEWROUTE`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Address family.
    pub family: u8,
    /// Where it leads; `None` for the default route.
    pub destination: Option<IpAddr>,
    /// Length of the destination's prefix.
    pub prefix: u8,
    /// Next hop.
    pub gateway: Option<IpAddr>,
    /// Outgoing interface.
    pub interface: Option<u32>,
    /// Table: 254 main, 255 local.
    pub table: u32,
    /// Type (`RTN_`): 1 unicast, 2 local, 3 broadcast, 6 blackhole, 7 unreachable.
    pub kind: u8,
    /// Who made it (`RTPROT_`): 2 kernel, 3 boot, 4 administrator, 16 DHCP.
    pub protocol: u8,
    /// Metric.
    pub metric: u32,
}

/// `struct rtmsg` and its attributes.
pub fn route(body: &[u8]) -> Option<Route> {
    let family = *body.first()?;
    let mut route = Route {
        family,
        destination: None,
        prefix: *body.get(1)?,
        gateway: None,
        interface: None,
        table: u32::from(*body.get(4)?),
        kind: *body.get(7)?,
        protocol: *body.get(5)?,
        metric: 0,
    };
    for (kind, value) in attributes_after(body, 12) {
        match kind {
            1 => route.destination = address(value, family),
            4 => route.interface = u32_at(value, 0),
            5 => route.gateway = address(value, family),
            6 => route.metric = u32_at(value, 0)?,
            15 => route.table = u32_at(value, 0)?,
            // RTA_VIA: a next hop of the other family.
            18 => {
                let via = u16_at(value, 0).and_then(|family| u8::try_from(family).ok());
                route.gateway = address(value.get(2..)?, via?);
            }
            // RTA_MULTIPATH: the first of several next hops (`struct rtnexthop`).
            9 => {
                route.interface = u32_at(value, 4);
                route.gateway =
                    attribute(value.get(8..).unwrap_or_default(), 5).and_then(|hop| address(hop, family));
            }
            _ => {}
        }
    }
    Some(route)
}

/// A neighbour (`RTM_NEWNEIGH`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Interface.
    pub interface: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its hardware address.
    pub hardware: Vec<u8>,
    /// State bits (`NUD_`): 0x02 reachable, 0x04 stale, 0x20 failed, 0x40 no ARP, 0x80 permanent.
    pub state: u16,
}

/// `struct ndmsg` and its attributes.
pub fn neighbour(body: &[u8]) -> Option<Neighbour> {
    let attributes = body.get(12..)?;
    Some(Neighbour {
        interface: u32_at(body, 4)?,
        address: address(attribute(attributes, 1)?, *body.first()?)?,
        hardware: attribute(attributes, 2)
            .map(|value| value.iter().copied().take(32).collect())
            .unwrap_or_default(),
        state: u16_at(body, 8)?,
    })
}

/// A queueing discipline (`RTM_NEWQDISC`): interface, handle, kind.
pub fn queue(body: &[u8]) -> Option<(u32, u32, Text)> {
    let kind = attribute(body.get(20..)?, 1).map(string)?;
    Some((u32_at(body, 4)?, u32_at(body, 8)?, kind.into()))
}

/// A traffic filter that runs a BPF program (`RTM_NEWTFILTER`, `TCA_BPF_`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficFilter {
    /// Interface.
    pub interface: u32,
    /// Where it hangs: 0xfffffff2 at the way in, 0xfffffff3 at the way out.
    pub parent: u32,
    /// The program's name, as its loader gave it.
    pub name: Text,
    /// The program's id, 0 for a classic filter.
    pub program: u32,
}

/// `struct tcmsg` and its attributes; filters of other kinds give `None`.
pub fn traffic_filter(body: &[u8]) -> Option<TrafficFilter> {
    let attributes = body.get(20..)?;
    if attribute(attributes, 1).map(string)? != b"bpf" {
        return None;
    }
    let options = attribute(attributes, 2)?;
    Some(TrafficFilter {
        interface: u32_at(body, 4)?,
        parent: u32_at(body, 12)?,
        name: attribute(options, 7).map(string).unwrap_or_default().into(),
        program: attribute(options, 11).and_then(|id| u32_at(id, 0)).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_read() {
        let link = link(FORMAT.samples[0]).unwrap();
        assert_eq!((link.index, link.name, link.promiscuity), (2, "eth0".into(), 1));
        assert_eq!((link.flags & 0x100, link.xdp), (0x100, vec![42]));
        let route = route(FORMAT.samples[1]).unwrap();
        assert_eq!((route.destination.unwrap().to_string().as_str(), route.prefix), ("10.0.0.0", 24));
        assert_eq!((route.table, route.interface), (254, Some(2)));
    }
}
