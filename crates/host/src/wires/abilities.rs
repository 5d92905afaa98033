//! What a kernel's packet filter can do, found by trying.

use super::nft::{Batch, Chain, Family, Hook, Policy, Table, TableFlags};
use calma_record::Text;

/// What this kernel's packet filter can do in a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Whether it has nf_tables, and for IPv4 and IPv6 together (Linux 3.14).
    pub inet: bool,
    /// Frames of devices as they come in, with the rules of IP (Linux 5.10).
    pub inet_ingress: bool,
    /// Frames of devices as they come in (Linux 4.2).
    pub ingress: bool,
    /// Frames of devices as they go out (Linux 5.16).
    pub egress: bool,
    /// Chains for devices that are not there, which take hold as soon as one of that name comes (seen on Linux 6.18, not
    /// on 6.1).
    pub absent_devices: bool,
    /// ARP.
    pub arp: bool,
    /// Frames that pass a bridge.
    pub bridge: bool,
    /// Tables that are gone when their owner is (Linux 5.12).
    pub owner: bool,
    /// Such tables that then stay (Linux 6.9).
    pub persist: bool,
}

/// The name of all tables that are tried; none of them ever comes to be.
const NAME: &str = "calma-trial";

/// The name of a device that is not there.
const ABSENT: &str = "calma-absent";

/// A batch that tries everything and fails as a whole, and for each of its changes which ability it tries.
pub(super) fn trial() -> (Batch, Vec<Option<Try>>) {
    let mut batch = Batch::new();
    let mut tries = Vec::new();
    let loopback = || vec![Text::from("lo")];
    let chains = [
        (Family::Inet, "calma-trial", Hook::Input, Try::Inet),
        (Family::Inet, "calma-trial-ingress", Hook::Ingress(loopback()), Try::InetIngress),
        (Family::Netdev, "calma-trial", Hook::Ingress(loopback()), Try::Ingress),
        (Family::Netdev, "calma-trial-egress", Hook::Egress(loopback()), Try::Egress),
        (Family::Netdev, "calma-trial-absent", Hook::Ingress(vec![Text::from(ABSENT)]), Try::AbsentDevices),
        (Family::Arp, "calma-trial", Hook::Input, Try::Arp),
        (Family::Bridge, "calma-trial", Hook::Forward, Try::Bridge),
    ];
    for (family, name, hook, ability) in chains {
        let table = Table::new(family, name);
        batch.add_table(&table, TableFlags::default(), &Text::default());
        tries.push(Some(ability));
        batch.add_chain(&Chain::base(&table, "trial", hook, 0, Policy::Accept));
        tries.push(Some(ability));
    }
    let owner = TableFlags { owner: true, ..TableFlags::default() };
    batch.add_table(&Table::new(Family::Inet, "calma-trial-owner"), owner, &Text::default());
    tries.push(Some(Try::Owner));
    let persist = TableFlags { persist: true, ..owner };
    batch.add_table(&Table::new(Family::Inet, "calma-trial-persist"), persist, &Text::default());
    tries.push(Some(Try::Persist));
    // There is no such table in a family that has no tables: the whole is taken back.
    batch.delete_table(&Table::new(Family::Ip, format!("{NAME}-none")));
    tries.push(None);
    (batch, tries)
}

/// One ability that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Try {
    Inet,
    InetIngress,
    Ingress,
    Egress,
    AbsentDevices,
    Arp,
    Bridge,
    Owner,
    Persist,
}

impl Abilities {
    /// Abilities from what failed, by the place in the batch.
    pub(super) fn of(tries: &[Option<Try>], failed: impl Fn(usize) -> bool) -> Self {
        let can = |ability| {
            let mut places = tries.iter().enumerate().filter(|(_, one)| **one == Some(ability));
            places.all(|(at, _)| !failed(at))
        };
        Self {
            inet: can(Try::Inet),
            inet_ingress: can(Try::InetIngress),
            ingress: can(Try::Ingress),
            egress: can(Try::Egress),
            absent_devices: can(Try::AbsentDevices),
            arp: can(Try::Arp),
            bridge: can(Try::Bridge),
            owner: can(Try::Owner),
            persist: can(Try::Persist),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_a_try_and_what_fails_can_not_be_done() {
        let (batch, tries) = trial();
        assert_eq!(batch.len(), tries.len());
        let egress = tries.iter().rposition(|one| *one == Some(Try::Egress)).unwrap();
        let found = Abilities::of(&tries, |at| at == egress || at + 1 == tries.len());
        assert!(!found.egress && found.ingress && found.owner && found.persist && found.inet);
        assert_eq!(Abilities::of(&tries, |_| true), Abilities::default());
    }
}
