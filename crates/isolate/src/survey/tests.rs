//! Where devices lead, and the next hops.

use super::*;

pub(crate) fn link(index: u32, name: &str, kind: &str) -> Link {
    Link { index, name: name.into(), kind: kind.into(), flags: 1, ..Link::default() }
}

fn place(inode: u64, links: Vec<Link>) -> Place {
    Place {
        inode,
        namespace: Namespace::Own,
        file: Text::default(),
        own: inode == 1,
        pids: Vec::new(),
        devices: links.into_iter().map(|link| Device { link, leads: Leads::Outward }).collect(),
        addresses: Vec::new(),
        routes: Vec::new(),
        neighbours: Vec::new(),
    }
}

fn route(net: &str, gateway: Option<&str>, table: u32) -> Route {
    let (destination, prefix) = net.split_once('/').unwrap();
    let prefix: u8 = prefix.parse().unwrap();
    let destination: IpAddr = destination.parse().unwrap();
    Route {
        family: if destination.is_ipv4() { 2 } else { 10 },
        destination: Some(destination).filter(|_| prefix > 0),
        prefix,
        gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        interface: Some(2),
        table,
        kind: 1,
        protocol: 4,
        metric: 0,
    }
}

fn leads(links: Vec<Link>, ids: &Identifiers) -> Vec<Leads> {
    let mut survey = Survey { places: vec![place(1, links)], closed: Vec::new() };
    judge(&mut survey, ids);
    survey.places[0].devices.iter().map(|device| device.leads).collect()
}

#[test]
fn a_pair_whose_other_end_is_not_known_to_be_here_leads_out() {
    let lo = Link { flags: 0x49, ..link(1, "lo", "") };
    let elsewhere = |id| Link { lower: Some(9), other_namespace: Some(id), ..link(3, "veth0", "veth") };
    let ids = Identifiers::from([((1, 4), 77)]);
    assert_eq!(leads(vec![lo, link(2, "eth0", "")], &ids), [Leads::Loopback, Leads::Outward]);
    assert_eq!(leads(vec![elsewhere(4), elsewhere(5)], &ids), [Leads::Inward, Leads::Outward]);
    // The identifier is one of this namespace: in another one it means something else.
    assert_eq!(leads(vec![elsewhere(4)], &Identifiers::from([((2, 4), 77)])), [Leads::Outward]);
    let here = Link { lower: Some(4), ..link(3, "a", "veth") };
    assert_eq!(leads(vec![here, link(7, "wg0", "wireguard")], &ids), [Leads::Inward, Leads::Outward]);
}

#[test]
fn a_bridge_leads_where_its_ports_lead() {
    let ids = Identifiers::from([((1, 4), 77)]);
    let port = |index, kind: &str, master| Link {
        master: Some(master),
        other_namespace: (kind == "veth").then_some(4),
        ..link(index, "p", kind)
    };
    let bridge = |index, master| Link { master, ..link(index, "br", "bridge") };
    let inner = vec![bridge(5, None), port(6, "veth", 5)];
    assert_eq!(leads(inner, &ids), [Leads::Inward, Leads::Inward]);
    let outer = vec![bridge(5, None), port(6, "veth", 5), port(2, "", 5)];
    assert_eq!(leads(outer, &ids), [Leads::Outward, Leads::Inward, Leads::Outward]);
    // Stacked, and named before what it stands on.
    let stacked = vec![link(9, "v", "vrf"), bridge(5, Some(9)), port(2, "", 5)];
    assert_eq!(leads(stacked, &ids), [Leads::Outward; 3]);
}

#[test]
fn the_next_hop_is_that_of_the_longest_prefix_in_every_table() {
    let mut at = place(1, vec![link(2, "eth0", "")]);
    at.routes = vec![
        route("0.0.0.0/0", Some("10.0.0.1"), 254),
        route("10.0.0.0/24", None, 254),
        route("0.0.0.0/0", Some("10.0.1.1"), 100),
        route("::/0", Some("fe80::1"), 254),
        route("2001:db8::/64", None, 254),
    ];
    let hops =
        |peer: &str| at.next_hops(peer.parse().unwrap()).iter().map(IpAddr::to_string).collect::<Vec<_>>();
    assert_eq!(hops("192.0.2.7"), ["10.0.0.1", "10.0.1.1"]);
    assert_eq!(hops("10.0.0.9"), ["10.0.0.9", "10.0.1.1"]);
    assert_eq!(hops("2001:db8::7"), ["2001:db8::7"]);
    assert_eq!(hops("2001:db8:1::7"), ["fe80::1"]);
    assert_eq!(at.gateways().len(), 3);
    assert!(same_prefix("10.0.0.1".parse().unwrap(), "10.0.0.200".parse().unwrap(), 24));
    assert!(!same_prefix("10.0.0.1".parse().unwrap(), "10.0.1.1".parse().unwrap(), 24));
    assert!(!same_prefix("10.0.0.1".parse().unwrap(), "::1".parse().unwrap(), 0));
}
