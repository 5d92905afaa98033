//! Chains: rules in their order, hung at a place that packets pass.

use super::{Family, Table};
use crate::netlink::Attributes;
use calma_record::Text;

/// Where a base chain hangs (`NF_INET_`, `NF_ARP_`, `NF_BR_` and `NF_NETDEV_` hook numbers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Before routing.
    Prerouting,
    /// On the way to a process of this host.
    Input,
    /// On the way through this host.
    Forward,
    /// On the way from a process of this host.
    Output,
    /// After routing.
    Postrouting,
    /// What comes in through these devices: families netdev (4.2) and inet (5.10). More than one: Linux 5.5.
    Ingress(Vec<Text>),
    /// What goes out through these devices: family netdev (5.16).
    Egress(Vec<Text>),
}

impl Hook {
    /// Its number in a family; `None` where the family has no such place.
    fn number(&self, family: Family) -> Option<u32> {
        match (family, self) {
            (Family::Arp, Self::Input) | (Family::Netdev, Self::Ingress(_)) => Some(0),
            (Family::Arp, Self::Output) | (Family::Netdev, Self::Egress(_)) => Some(1),
            (Family::Inet, Self::Ingress(_)) => Some(5),
            (Family::Arp | Family::Netdev, _) | (_, Self::Ingress(_) | Self::Egress(_)) => None,
            (_, Self::Prerouting) => Some(0),
            (_, Self::Input) => Some(1),
            (_, Self::Forward) => Some(2),
            (_, Self::Output) => Some(3),
            (_, Self::Postrouting) => Some(4),
        }
    }

    fn devices(&self) -> &[Text] {
        match self {
            Self::Ingress(devices) | Self::Egress(devices) => devices,
            _ => &[],
        }
    }
}

/// What happens to packets that no rule decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// They are dropped.
    Drop,
    /// They go on.
    Accept,
}

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The table it is in.
    pub table: Table,
    /// Its name.
    pub name: Text,
    /// Where it hangs, with its priority (lower sees packets first) and policy; `None` for one that rules jump to.
    pub hook: Option<(Hook, i32, Policy)>,
}

impl Chain {
    /// A chain that packets pass at `hook`.
    pub fn base(table: &Table, name: impl Into<Text>, hook: Hook, priority: i32, policy: Policy) -> Self {
        Self { table: table.clone(), name: name.into(), hook: Some((hook, priority, policy)) }
    }

    /// A chain that rules jump to.
    pub fn plain(table: &Table, name: impl Into<Text>) -> Self {
        Self { table: table.clone(), name: name.into(), hook: None }
    }

    /// The `NFTA_CHAIN_` attributes that make it.
    pub(super) fn attributes(&self) -> Attributes {
        let chain = Attributes::new().text(1, self.table.name.as_bytes()).text(3, self.name.as_bytes());
        let Some((hook, priority, policy)) = &self.hook else { return chain };
        // A number that no family has is refused by the kernel.
        let number = hook.number(self.table.family).unwrap_or(u32::MAX);
        let mut place = Attributes::new().be32(1, number).be32(2, priority.cast_unsigned());
        place = match hook.devices() {
            [] => place,
            [device] => place.text(3, device.as_bytes()),
            devices => {
                let names = Attributes::new();
                place.nest(4, &devices.iter().fold(names, |names, device| names.text(1, device.as_bytes())))
            }
        };
        let policy = match policy {
            Policy::Drop => 0,
            Policy::Accept => 1,
        };
        chain.nest(4, &place).be32(5, policy).text(7, b"filter")
    }
}
