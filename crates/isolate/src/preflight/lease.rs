//! Addresses that are only lent: when a lease ends, so does the administrator's session.

use super::{Concern, Sight, Weight};
use calma_formats::dhcp_lease::{Lease, dhclient, keyed, packet};
use calma_record::{Text, Timestamp};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A lent address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lent {
    /// The interface.
    pub interface: Text,
    /// The address.
    pub address: IpAddr,
    /// The server that lent it, where the client wrote it down.
    pub server: Option<IpAddr>,
    /// When it ends, by the host's clock.
    pub ends: Option<Timestamp>,
    /// Where it is written.
    pub file: String,
}

/// Where dhclient keeps its leases.
const DHCLIENT: &[&str] = &["/var/lib/dhcp", "/var/lib/dhclient", "/run", "/var/lib/NetworkManager"];
/// Where dhcpcd keeps its leases.
const DHCPCD: &[&str] = &["/var/lib/dhcpcd", "/var/lib/dhcpcd5", "/run/dhcpcd"];

/// The leases of this host's clients, one an interface.
pub fn leases(sight: &Sight<'_>) -> Vec<Lent> {
    let mut found: BTreeMap<Text, Lent> = BTreeMap::new();
    let mut add = |interface: Text, lease: Lease, file: String| {
        let written = sight.host.tree().meta(file.as_bytes()).ok().map(|meta| meta.modified.seconds());
        let from_writing = || Some(written?.saturating_add(i64::try_from(lease.seconds?).ok()?));
        let ends = lease.ends.or_else(from_writing).map(|seconds| Timestamp::new(seconds, 0));
        if let (Some(address), false) = (lease.address, interface.is_empty()) {
            let lent = Lent { interface: interface.clone(), address, server: lease.server, ends, file };
            // Of several files of one interface, the one that ends last was written last.
            if found.get(&interface).is_none_or(|known| known.ends <= lent.ends) {
                found.insert(interface, lent);
            }
        }
    };
    // systemd-networkd names its files by the interface's number.
    for (path, bytes) in sight.files("/run/systemd/netif/leases", "") {
        let number = path.rsplit('/').next().unwrap_or_default();
        if let Some(lease) = keyed(&bytes) {
            add(by_number(sight, number), lease, path);
        }
    }
    // NetworkManager: internal-UUID-INTERFACE.lease.
    for (path, bytes) in sight.files("/var/lib/NetworkManager", ".lease") {
        let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".lease");
        let interface = name.strip_prefix("internal-").and_then(|rest| rest.get(37..)).unwrap_or_default();
        if let Some(lease) = keyed(&bytes) {
            add(interface.into(), lease, path);
        }
    }
    for folder in DHCLIENT {
        for end in [".leases", ".lease"] {
            for (path, bytes) in sight.files(folder, end) {
                for lease in dhclient(&bytes) {
                    add(lease.interface.as_str().into(), lease, path.clone());
                }
            }
        }
    }
    for folder in DHCPCD {
        for (path, bytes) in sight.files(folder, ".lease") {
            let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".lease");
            // Wireless ones have the network's name behind the interface's.
            let name = name.strip_prefix("dhcpcd-").unwrap_or(name).split('-').next().unwrap_or_default();
            if let Some(lease) = packet(&bytes) {
                add(name.into(), lease, path);
            }
        }
    }
    found.into_values().collect()
}

/// The interface of this number.
fn by_number(sight: &Sight<'_>, number: &str) -> Text {
    let names = sight.names("/sys/class/net");
    let fits = |name: &Text| sight.word(&format!("/sys/class/net/{name}/ifindex")) == number;
    names.into_iter().find(fits).unwrap_or_else(|| Text::from(format!("number {number}")))
}

pub(super) fn check(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    let now = sight.host.clock().now();
    for lent in leases(sight) {
        if lent.ends.is_some_and(|ends| ends < now) {
            continue;
        }
        let until =
            lent.ends.map_or_else(|| "for an unknown time".to_owned(), |ends| format!("until {ends}"));
        let (weight, outside) = match lent.server {
            Some(server) => (Weight::Note, format!("nothing: renewal with {server} stays allowed at level 1")),
            None => (
                Weight::Breaks,
                "give the host a fixed address on the server, or make the lease long; its server is not written down here"
                    .to_owned(),
            ),
        };
        concerns.push(Concern::new(
            weight,
            format!("{} of {} is only lent (DHCP), {until}", lent.address, lent.interface),
            lent.file,
            "without renewal the address is gone when the lease ends, and your session with it",
            outside,
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::tests::table;
    use calma_host::Mem;

    #[test]
    fn leases_of_every_client_are_found() {
        let mut reply = vec![0; 236];
        reply[0] = 2;
        reply[16..20].copy_from_slice(&[192, 0, 2, 13]);
        reply.extend([0x63, 0x82, 0x53, 0x63, 54, 4, 192, 0, 2, 1, 51, 4, 0, 0x80, 0, 0, 255]);
        let mem = Mem::running()
            .file("/sys/class/net/eth0/ifindex", "2\n")
            .file("/run/systemd/netif/leases/2", "ADDRESS=192.0.2.10\nSERVER_ADDRESS=192.0.2.1\nLIFETIME=7200000\n")
            .file(
                "/var/lib/NetworkManager/internal-01234567-89ab-cdef-0123-456789abcdef-eth1.lease",
                "ADDRESS=192.0.2.11\n",
            )
            .file(
                "/var/lib/dhcp/dhclient.eth2.leases",
                "lease {\n interface \"eth2\";\n fixed-address 192.0.2.12;\n expire 4 2037/01/01 00:00:00;\n}\n",
            )
            .file("/var/lib/dhcpcd/eth3.lease", reply);
        let found = leases(&Sight::of(&mem, None));
        let said: Vec<(String, String)> =
            found.iter().map(|lent| (lent.interface.to_string(), lent.address.to_string())).collect();
        let expected =
            [("eth0", "192.0.2.10"), ("eth1", "192.0.2.11"), ("eth2", "192.0.2.12"), ("eth3", "192.0.2.13")];
        assert_eq!(said, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(found[3].server, "192.0.2.1".parse().ok());
        assert!(found[2].ends > found[0].ends);
    }

    #[test]
    fn a_lease_with_a_known_server_is_a_note_and_an_old_one_nothing() {
        let dhclient = |text: &str| Mem::running().file("/var/lib/dhcp/dhclient.leases", text);
        table(vec![
            (
                dhclient(
                    "lease {\n interface \"e\";\n fixed-address 192.0.2.1;\n option dhcp-server-identifier 192.0.2.3;\n}\n",
                ),
                &["Note", "renewal with 192.0.2.3"],
            ),
            (dhclient("lease {\n interface \"e\";\n fixed-address 192.0.2.1;\n}\n"), &["Breaks"]),
            (
                dhclient(
                    "lease {\n interface \"e\";\n fixed-address 192.0.2.1;\n expire 4 2001/01/01 00:00:00;\n}\n",
                ),
                &[],
            ),
            (dhclient("default-duid \"x\";\n"), &[]),
        ]);
    }
}
