//! Tunnels: whether the administrator's own session comes through one.

use super::{Concern, Sight, Weight};
use crate::canary::rows;
use calma_formats::rtnetlink::{Link, Route, link, route};
use calma_host::{Namespace, Protocol, Request};
use std::net::IpAddr;

/// Kinds of interfaces that carry packets inside other packets.
const TUNNELS: &[&str] = &[
    "wireguard",
    "tun",
    "gre",
    "gretap",
    "ip6gre",
    "ip6gretap",
    "ipip",
    "sit",
    "ip6tnl",
    "vti",
    "vti6",
    "xfrm",
    "vxlan",
    "geneve",
    "l2tp",
    "ppp",
    "bareudp",
    "ovpn",
];

pub(super) fn check(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    let (Some(peer), Some(kernel)) = (sight.peer, sight.host.kernel()) else { return };
    let requests = [18, 26].map(|kind| Request::dump(Protocol::ROUTE, kind, [0; 16]));
    let Ok(answers) = kernel.network().ask(&Namespace::Own, &requests) else { return };
    let [Ok(links), Ok(routes)] = answers.as_slice() else { return };
    let (links, routes): (Vec<Link>, Vec<Route>) = (rows(links, link), rows(routes, route));
    let best = routes
        .iter()
        // 255: the host's own addresses.
        .filter(|route| route.table != 255 && route.kind == 1 && leads_to(route, peer))
        .max_by_key(|route| (route.prefix, std::cmp::Reverse(route.metric)));
    let Some(index) = best.and_then(|route| route.interface) else { return };
    let Some(through) = links.iter().find(|link| link.index == index) else { return };
    let kind = through.kind.as_str().unwrap_or_default();
    if TUNNELS.contains(&kind) {
        concerns.push(Concern::new(
            Weight::Breaks,
            format!("your own session comes through a tunnel ({}, {kind})", through.name),
            "routes of this host",
            "when the tunnel's outer packets are cut, your session ends with it",
            "have a console ready; allow the tunnel's outer peer too (calma isolate names it), or come in directly",
        ));
    }
}

/// Whether a route leads to an address.
fn leads_to(route: &Route, to: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(four) => (u128::from(u32::from(four)) << 96, 2),
        IpAddr::V6(six) => (u128::from(six), 10),
    };
    let (to, family) = bits(to);
    if route.family != family {
        return false;
    }
    let Some(destination) = route.destination else { return route.prefix == 0 };
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(route.prefix))).unwrap_or(0);
    bits(destination).0 & mask == to & mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::tests::said;
    use calma_host::Mem;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(value.len() + 4).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn interface(index: u32, name: &str, kind: &str) -> (u16, Vec<u8>) {
        let mut body = vec![0; 4];
        body.extend(index.to_ne_bytes());
        body.extend([0; 8]);
        body.extend(attribute(3, &[name.as_bytes(), b"\0"].concat()));
        body.extend(attribute(18, &attribute(1, &[kind.as_bytes(), b"\0"].concat())));
        (16, body)
    }

    fn way(to: [u8; 4], prefix: u8, index: u32) -> (u16, Vec<u8>) {
        let mut body = vec![2, prefix, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0];
        if prefix > 0 {
            body.extend(attribute(1, &to));
        }
        body.extend(attribute(4, &index.to_ne_bytes()));
        (24, body)
    }

    fn host(routes: Vec<(u16, Vec<u8>)>) -> Mem {
        Mem::running().network(|network| {
            let links = vec![interface(2, "eth0", ""), interface(3, "wg0", "wireguard")];
            network.answer(Namespace::Own, Protocol::ROUTE, 18, Vec::new(), links);
            network.answer(Namespace::Own, Protocol::ROUTE, 26, Vec::new(), routes);
        })
    }

    #[test]
    fn the_most_exact_route_to_the_peer_decides() {
        // The peer of the tests is 192.0.2.9.
        let everywhere = way([0; 4], 0, 2);
        let through = host(vec![everywhere.clone(), way([192, 0, 2, 0], 24, 3)]);
        assert!(said(&through).contains("tunnel (wg0, wireguard)"));
        let beside = host(vec![everywhere.clone(), way([192, 0, 3, 0], 24, 3)]);
        assert_eq!(said(&beside), "");
        let exact = host(vec![way([192, 0, 2, 0], 24, 3), way([192, 0, 2, 8], 29, 2)]);
        assert_eq!(said(&exact), "");
    }
}
