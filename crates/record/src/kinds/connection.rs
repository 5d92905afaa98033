//! Kind: a tracked connection.

use crate::kind::kind;

kind! {
    /// One entry of the kernel's connection tracking.
    Connection = "connection" {
        /// Inode number of its network namespace.
        1 namespace: u64 as Plain,
        /// Protocol: `tcp`, `udp`, `icmp`, or its number.
        2 protocol: String as Plain,
        /// Who began it, `ADDRESS:PORT`.
        3 from: String as Address,
        /// With whom, `ADDRESS:PORT`.
        4 to: String as Address,
        /// Who answers, where addresses are translated and it is not `to`.
        5 answered_by: String as Address,
        /// State of a TCP connection.
        6 state: String as Plain,
        /// Whether an answer was seen.
        7 answered: bool as Plain,
        /// Bytes sent by who began it, where the kernel counts them.
        8 sent: Option<u64> as Plain,
        /// Bytes of the answers.
        9 received: Option<u64> as Plain,
        /// Seconds until the entry is forgotten.
        10 timeout: u32 as Plain,
    }
}
