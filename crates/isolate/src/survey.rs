//! The network as it stands: every namespace with its devices, addresses, routes and neighbours.

use calma_collect::Context;
use calma_formats::netlink::messages;
use calma_formats::rtnetlink::{self, Link, Neighbour, Route};
use calma_host::{HostError, Namespace, Protocol, Request};
use calma_record::Text;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// One network namespace (network_namespaces(7)).
#[derive(Clone, Debug)]
pub struct Place {
    /// Inode number.
    pub inode: u64,
    /// How it is entered.
    pub namespace: Namespace,
    /// The file that stands for it, in words for people.
    pub file: Text,
    /// Whether calma runs in it.
    pub own: bool,
    /// Some of the processes in it.
    pub pids: Vec<u32>,
    /// Its devices.
    pub devices: Vec<Device>,
    /// Its addresses, each with its device's number and the length of its prefix.
    pub addresses: Vec<(u32, IpAddr, u8)>,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Its neighbours.
    pub neighbours: Vec<Neighbour>,
}

/// A network device with where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What the kernel says of it.
    pub link: Link,
    /// Where it leads.
    pub leads: Leads,
}

/// Where a device leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// Nowhere: the loopback device, and dummies.
    Loopback,
    /// To other parts of this host alone: both ends are here.
    Inward,
    /// Out, or to where calma can not see.
    Outward,
}

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The namespaces by inode number.
    pub places: Vec<Place>,
    /// Namespaces that could not be entered, each with the reason.
    pub closed: Vec<(Text, String)>,
}

impl Place {
    /// The devices that lead out.
    pub fn outward(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.leads == Leads::Outward)
    }

    /// The numbers of devices that do not lead out.
    pub fn harmless(&self) -> Vec<u32> {
        let inner = self.devices.iter().filter(|device| device.leads != Leads::Outward);
        inner.map(|device| device.link.index).collect()
    }

    /// Whether an address is one of its own.
    pub fn has(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|(_, own, _)| *own == address)
    }

    /// The next hops to a peer: in each routing table the gateways of the longest prefixes that hold it, or the peer itself
    /// where it is on the link. Policy rules choose among tables at every packet, so all tables count.
    pub fn next_hops(&self, peer: IpAddr) -> BTreeSet<IpAddr> {
        let family = if peer.is_ipv4() { 2 } else { 10 };
        let holds = |route: &&Route| {
            route.family == family
                && route.kind == 1
                && route.destination.map_or(route.prefix == 0, |net| same_prefix(net, peer, route.prefix))
        };
        let fitting: Vec<&Route> = self.routes.iter().filter(holds).collect();
        let best = |table: u32| {
            fitting.iter().filter(|route| route.table == table).map(|route| route.prefix).max().unwrap_or(0)
        };
        let mut hops = BTreeSet::new();
        for route in &fitting {
            if route.prefix == best(route.table) {
                hops.insert(route.gateway.unwrap_or(peer));
            }
        }
        hops
    }

    /// The gateways of all default routes.
    pub fn gateways(&self) -> BTreeSet<IpAddr> {
        let default = |route: &&Route| route.prefix == 0 && route.kind == 1;
        self.routes.iter().filter(default).filter_map(|route| route.gateway).collect()
    }

    /// The hardware addresses under which a neighbour is known.
    pub fn hardware(&self, address: IpAddr) -> BTreeSet<[u8; 6]> {
        let of_it = self.neighbours.iter().filter(|neighbour| neighbour.address == address);
        of_it.filter_map(|neighbour| <[u8; 6]>::try_from(neighbour.hardware.as_slice()).ok()).collect()
    }
}

impl Survey {
    /// The namespaces from which something leads out.
    pub fn leading_out(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(|place| place.outward().next().is_some())
    }
}

/// Whether two addresses agree in their first `prefix` bits.
pub(crate) fn same_prefix(one: IpAddr, other: IpAddr, prefix: u8) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let ((a, width), (b, other_width)) = (bits(one), bits(other));
    let wild = 128 - u32::from(prefix.min(width));
    width == other_width && a.checked_shr(wild).unwrap_or(0) == b.checked_shr(wild).unwrap_or(0)
}

/// What is asked in each namespace: links, addresses, routes, neighbours (rtnetlink(7)).
fn requests() -> Vec<Request> {
    let dump = |kind, length| Request::dump(Protocol::ROUTE, kind, vec![0; length]);
    vec![dump(18, 16), dump(22, 8), dump(26, 12), dump(30, 12)]
}

/// Looks at every network namespace that can be found.
pub fn survey(context: &Arc<Context>) -> Survey {
    let mut survey = Survey::default();
    for found in calma_collect::network_namespaces(context) {
        let file = found.file.clone().unwrap_or_else(|| "/proc/self/ns/net".into());
        match found.ask(context, &requests()) {
            Ok(answers) => {
                let namespace = if found.own { Namespace::Own } else { Namespace::At(file.clone()) };
                let bytes = |which: usize| match answers.get(which) {
                    Some(Ok(answer)) => answer.messages.as_slice(),
                    _ => &[],
                };
                let links = messages(bytes(0)).filter_map(|message| rtnetlink::link(message.body));
                survey.places.push(Place {
                    inode: found.inode,
                    namespace,
                    file,
                    own: found.own,
                    pids: found.pids,
                    devices: links.map(|link| Device { link, leads: Leads::Outward }).collect(),
                    addresses: messages(bytes(1))
                        .filter_map(|m| rtnetlink::interface_address(m.body))
                        .collect(),
                    routes: messages(bytes(2)).filter_map(|m| rtnetlink::route(m.body)).collect(),
                    neighbours: messages(bytes(3)).filter_map(|m| rtnetlink::neighbour(m.body)).collect(),
                });
            }
            // It ended meanwhile.
            Err(error) if HostError::is_missing(&error) => {}
            Err(error) => survey.closed.push((file, error.why())),
        }
    }
    let ids = identifiers(context, &survey);
    judge(&mut survey, &ids);
    survey
}

/// The namespaces that a namespace knows under an identifier of its own, as far as calma found them: (its inode number,
/// identifier) to the other's inode number. The kernel says so, not the numbers of devices, which root may choose.
type Identifiers = BTreeMap<(u64, u32), u64>;

fn identifiers(context: &Arc<Context>, survey: &Survey) -> Identifiers {
    let mut ids = Identifiers::new();
    let Some(kernel) = context.host.kernel() else { return ids };
    for place in &survey.places {
        let elsewhere = |device: &Device| device.link.kind == "veth" && device.link.other_namespace.is_some();
        if !place.devices.iter().any(elsewhere) {
            continue;
        }
        let others: Vec<&Place> = survey.places.iter().filter(|other| other.inode != place.inode).collect();
        let asked: Vec<Namespace> = others.iter().map(|other| other.namespace.clone()).collect();
        let answers = kernel.network().identifiers(&place.namespace, &asked).unwrap_or_default();
        for (other, id) in others.iter().zip(answers) {
            if let Some(id) = id {
                ids.insert((place.inode, id), other.inode);
            }
        }
    }
    ids
}

/// Says of each device where it leads.
fn judge(survey: &mut Survey, ids: &Identifiers) {
    for place in &mut survey.places {
        let inode = place.inode;
        for device in &mut place.devices {
            device.leads = alone(inode, &device.link, ids);
        }
        // A bridge and its like lead where their ports lead, however deep they are stacked.
        loop {
            let above: BTreeSet<u32> = place.outward().filter_map(|device| device.link.master).collect();
            let inner =
                |device: &&mut Device| device.leads != Leads::Outward && above.contains(&device.link.index);
            let mut changed = false;
            for device in place.devices.iter_mut().filter(|device| inner(device)) {
                (device.leads, changed) = (Leads::Outward, true);
            }
            if !changed {
                break;
            }
        }
    }
}

/// Where a device leads, looked at without its neighbours. What is not known to end here leads out.
fn alone(inode: u64, link: &Link, ids: &Identifiers) -> Leads {
    /// `IFF_LOOPBACK` (netdevice(7)).
    const LOOPBACK: u32 = 0x8;
    match link.kind.as_bytes() {
        _ if link.flags & LOOPBACK != 0 => Leads::Loopback,
        b"dummy" | b"ifb" | b"nlmon" => Leads::Loopback,
        b"bridge" | b"vrf" => Leads::Inward,
        b"veth" => match link.other_namespace {
            None => Leads::Inward,
            Some(id) if ids.contains_key(&(inode, id)) => Leads::Inward,
            Some(_) => Leads::Outward,
        },
        _ => Leads::Outward,
    }
}

#[cfg(test)]
mod tests;
