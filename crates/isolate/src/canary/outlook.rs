//! What can be aimed at from a network namespace: its interfaces, next hops, name servers.

use calma_formats::ethernet::Mac;
use calma_formats::link_counters::{self, Counters};
use calma_formats::netlink::{Message, messages};
use calma_formats::rtnetlink::{interface_address, neighbour, route};
use calma_host::{Answer, Cause, Host, HostError, Namespace, Protocol, Request};
use calma_record::Text;
use std::net::IpAddr;

/// Message types of rtnetlink(7).
const GET_LINK: u16 = 18;
const GET_ADDRESS: u16 = 22;
const GET_ROUTE: u16 = 26;
const GET_NEIGHBOUR: u16 = 30;
/// Most of each that is aimed at: a host with thousands of interfaces is not flooded by its own test.
const MOST: usize = 256;

/// An interface that leads out of the namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outward {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: Text,
    /// Its hardware address, if it speaks Ethernet.
    pub mac: Option<Mac>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// A next hop of a default route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its address.
    pub address: IpAddr,
    /// The interface it is reached through.
    pub interface: u32,
}

/// What can be aimed at from one namespace.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// The namespace.
    pub namespace: Namespace,
    /// Its interfaces that are up, loopback apart.
    pub outward: Vec<Outward>,
    /// The next hops of its default routes.
    pub gateways: Vec<Gateway>,
    /// Neighbours whose hardware address is known: interface, address, hardware address.
    pub neighbours: Vec<(u32, IpAddr, Mac)>,
    /// Name servers that are asked from here, those on this host apart.
    pub resolvers: Vec<IpAddr>,
    /// Where witnesses listen.
    pub witnesses: Vec<IpAddr>,
}

impl Outlook {
    /// Asks the kernel and reads who is asked for names.
    ///
    /// # Errors
    /// When the namespace can not be entered or does not tell its interfaces.
    pub fn of(host: &dyn Host, namespace: Namespace, witnesses: Vec<IpAddr>) -> Result<Self, HostError> {
        let requests = [GET_LINK, GET_ADDRESS, GET_ROUTE, GET_NEIGHBOUR]
            .map(|kind| Request::dump(Protocol::ROUTE, kind, [0; 16]));
        let missing = || HostError::new("netlink", "", Cause::Unsupported);
        let kernel = host.kernel().ok_or_else(missing)?;
        let mut answers = kernel.network().ask(&namespace, &requests)?.into_iter();
        let links: Vec<Counters> = rows(&answers.next().ok_or_else(missing)??, link_counters::link);
        let mut next = || answers.next().and_then(Result::ok).unwrap_or_default();
        let (addresses, routes, neighbours) = (next(), next(), next());
        let mut outward: Vec<Outward> = links
            .into_iter()
            .filter(|link| link.up && !link.loopback)
            .take(MOST)
            .map(|link| Outward {
                index: link.index,
                name: link.name,
                // 1: Ethernet (`ARPHRD_ETHER`).
                mac: link.address.filter(|_| link.hardware == 1),
                addresses: Vec::new(),
            })
            .collect();
        for (index, address, _) in rows(&addresses, interface_address) {
            if let Some(interface) = outward.iter_mut().find(|interface| interface.index == index) {
                interface.addresses.push(address);
            }
        }
        let mut gateways: Vec<Gateway> = rows(&routes, route)
            .into_iter()
            // 254: the main table; 1: to be sent on.
            .filter(|route| route.prefix == 0 && route.kind == 1 && route.table == 254)
            .filter_map(|route| Some(Gateway { address: route.gateway?, interface: route.interface? }))
            .take(MOST)
            .collect();
        gateways.dedup();
        let neighbours = rows(&neighbours, neighbour)
            .into_iter()
            .filter_map(|one| Some((one.interface, one.address, one.hardware.try_into().ok()?)))
            .take(4 * MOST)
            .collect();
        Ok(Self { namespace, outward, gateways, neighbours, resolvers: resolvers(host), witnesses })
    }

    /// The hardware address of a neighbour.
    pub fn mac_of(&self, interface: u32, address: IpAddr) -> Option<Mac> {
        let found = self.neighbours.iter().find(|(on, at, _)| *on == interface && *at == address);
        found.map(|(_, _, mac)| *mac)
    }
}

/// The rows of an answer that `parse` understands.
pub(crate) fn rows<T>(answer: &Answer, parse: impl Fn(&[u8]) -> Option<T>) -> Vec<T> {
    messages(&answer.messages).filter_map(|Message { body, .. }| parse(body)).collect()
}

/// The interfaces of a namespace with their counters.
///
/// # Errors
/// When the namespace can not be entered or the kernel refuses.
pub(crate) fn counters(host: &dyn Host, namespace: &Namespace) -> Result<Vec<Counters>, HostError> {
    let missing = || HostError::new("netlink", "", Cause::Unsupported);
    let request = Request::dump(Protocol::ROUTE, GET_LINK, [0; 16]);
    let kernel = host.kernel().ok_or_else(missing)?;
    let mut answers = kernel.network().ask(namespace, &[request])?.into_iter();
    Ok(rows(&answers.next().ok_or_else(missing)??, link_counters::link))
}

/// The name servers of resolv.conf(5), and those systemd-resolved hands questions on to.
fn resolvers(host: &dyn Host) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for file in [b"/etc/resolv.conf".as_slice(), b"/run/systemd/resolve/resolv.conf"] {
        let Ok(content) = host.tree().read(file, 64 << 10) else { continue };
        for line in String::from_utf8_lossy(&content.bytes).lines() {
            let mut words = line.split_whitespace();
            if words.next() != Some("nameserver") {
                continue;
            }
            // A scope behind the address names an interface.
            let address = words.next().and_then(|word| word.split('%').next()?.parse::<IpAddr>().ok());
            if let Some(address) = address.filter(|address| !address.is_loopback())
                && !found.contains(&address)
                && found.len() < 8
            {
                found.push(address);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_host::Mem;

    #[test]
    fn name_servers_are_those_that_are_asked_outside() {
        let host = Mem::new()
            .file("/etc/resolv.conf", "# nameserver 192.0.2.9\nnameserver 127.0.0.53\noptions edns0\n")
            .file(
                "/run/systemd/resolve/resolv.conf",
                "nameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver x\n",
            );
        let expected: Vec<IpAddr> = vec!["192.0.2.53".parse().unwrap(), "fe80::1".parse().unwrap()];
        assert_eq!(resolvers(&host), expected);
    }
}
