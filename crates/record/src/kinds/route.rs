//! Kind: a route.

use crate::{Text, kind::kind};

kind! {
    /// One route of a namespace.
    Route = "route" {
        /// Inode number of its network namespace.
        1 namespace: u64 as Plain,
        /// Destination with prefix length, or `default` (IPv4) or `default6`.
        2 destination: String as Address,
        /// Next hop, empty if none.
        3 gateway: String as Address,
        /// Outgoing interface.
        4 interface: Text as Plain,
        /// Table; 254 is the main one.
        5 table: u32 as Plain,
        /// Metric.
        6 metric: u32 as Plain,
        /// Type: `unicast`, `blackhole`, `unreachable`, `prohibit`, ….
        7 kind: String as Plain,
        /// Who made it: 2 kernel, 3 boot, 4 an administrator, 16 DHCP (`RTPROT_`).
        8 protocol: u32 as Plain,
    }
}
