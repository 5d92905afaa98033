//! Kind: a network interface.

use crate::{Text, kind::kind};

kind! {
    /// One network interface of a namespace.
    Interface = "interface" {
        /// Inode number of its network namespace.
        1 namespace: u64 as Plain,
        /// Whether that is the first process's network namespace.
        2 first_namespace: bool as Plain,
        /// Name.
        3 name: Text as Plain,
        /// Number in its namespace.
        4 index: u32 as Plain,
        /// Kind (`bridge`, `veth`, …); empty for hardware and loopback.
        5 kind: Text as Plain,
        /// Whether it is up.
        6 up: bool as Plain,
        /// Hardware address.
        7 hardware: String as Address,
        /// Addresses with prefix length.
        8 addresses: Vec<String> as Address,
        /// Name of the interface it belongs to, as a port to its bridge.
        9 master: Text as Plain,
        /// Kind of the interface it belongs to.
        10 master_kind: Text as Plain,
        /// Whether it was made promiscuous by hand (flag IFF_PROMISC of netdevice(7)).
        11 promiscuous: bool as Plain,
        /// How many parts of the system want it promiscuous.
        12 promiscuity: u32 as Plain,
        /// Ids of its XDP programs.
        13 xdp: Vec<u32> as Plain,
        /// Traffic filters that run a BPF program: "in: NAME (program 7)".
        14 filters: Vec<String> as Plain,
        /// Interfaces stacked on it or it on: macvlan, ipvlan and VLAN devices of this namespace.
        15 uppers: Vec<Text> as Plain,
    }
}
