//! Kind: a socket.

use crate::{Text, kind::kind};

kind! {
    /// One socket of a network namespace, as the kernel's views show it; one row for each program that holds it.
    Socket = "socket" {
        /// Inode number of its network namespace.
        1 namespace: u64 as Plain,
        /// Whether that is the first process's network namespace.
        2 first_namespace: bool as Plain,
        /// Address family: `inet`, `inet6`, `unix`, `packet`, `netlink`, `vsock`, `xdp`.
        3 family: String as Plain,
        /// Protocol: `tcp`, `udp`, `icmp`, `raw 89`, `stream`, an Ethernet protocol number such as `0x0003`.
        4 protocol: String as Plain,
        /// Own address; of a Unix socket its path, or `@` and its abstract name.
        5 local: Text as Address,
        /// Own port, 0 if none.
        6 local_port: u32 as Plain,
        /// Peer's address.
        7 remote: Text as Address,
        /// Peer's port, 0 if none.
        8 remote_port: u32 as Plain,
        /// State: `listen`, `established`, `closed` (which an unconnected UDP socket is, too), `time-wait`, ….
        9 state: String as Plain,
        /// Inode number, 0 if no open file stands for it any more.
        10 inode: u64 as Plain,
        /// Owner's user id, where the kernel says.
        11 uid: Option<u32> as Plain,
        /// Processes of this program that hold it, at most 16.
        12 pids: Vec<u32> as Pid,
        /// How many processes of any program hold it.
        13 holders: u32 as Plain,
        /// Whether every process's open files could be read, so that no holder means that nobody visible holds it.
        14 holders_known: bool as Plain,
        /// Program of the holders, without the " (deleted)" mark.
        15 program: Option<Text> as Path,
        /// Whether that program's file has no name any more.
        16 deleted: bool as Plain,
        /// Whether that program runs from an anonymous memory file.
        17 memfd: bool as Plain,
        /// The name the first of them gives itself.
        18 name: Text as Plain,
        /// Control group of the first of them (cgroups(7)), which tells its unit or container.
        19 cgroup: Text as Unit,
        /// Whether the first of them sees another root directory than calma, as in a container.
        20 other_root: bool as Plain,
        /// Interface it is bound to.
        21 interface: Text as Plain,
        /// Number of instructions of the attached classic BPF filter.
        22 filter_length: u32 as Plain,
        /// The filter in the usual notation.
        23 filter: String as Plain,
        /// What the filter compares packet bytes with.
        24 compared: Vec<String> as Plain,
        /// Views that showed it: `sock_diag`, `proc`, `descriptor`.
        25 views: Vec<String> as Plain,
        /// Views that should show it and did not, in three looks.
        26 missing: Vec<String> as Plain,
        /// Inode number of a Unix socket's peer.
        27 peer: u64 as Plain,
    }
}
