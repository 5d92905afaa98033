//! Kind: a table of the kernel's packet filter.

use crate::{Text, kind::kind};

kind! {
    /// One table of nf_tables or of the older iptables.
    NetfilterTable = "netfilter-table" {
        /// Inode number of its network namespace.
        1 namespace: u64 as Plain,
        /// `nf_tables` or `legacy`.
        2 framework: String as Plain,
        /// Family: `inet`, `ip`, `ip6`, `arp`, `bridge`, `netdev`.
        3 family: String as Plain,
        /// Name.
        4 name: Text as Plain,
        /// Process that owns it, 0 if none.
        5 owner: u32 as Pid,
        /// Its chains: "input (hook input, priority 0, drops what does not match, 3 uses)".
        6 chains: Vec<String> as Plain,
        /// How many rules and jumps its chains hold.
        7 rules: u32 as Plain,
    }
}
