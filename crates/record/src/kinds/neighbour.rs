//! Kind: a neighbour.

use crate::{Text, kind::kind};

kind! {
    /// One entry of the neighbour table (ARP, IPv6 neighbour discovery): a machine this host talked to nearby.
    Neighbour = "neighbour" {
        /// Inode number of its network namespace.
        1 namespace: u64 as Plain,
        /// Its address.
        2 address: String as Address,
        /// Its hardware address.
        3 hardware: String as Address,
        /// Interface.
        4 interface: Text as Plain,
        /// State: `reachable`, `stale`, `permanent`, `failed`, ….
        5 state: String as Plain,
    }
}
