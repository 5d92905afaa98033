//! Kind: a loaded BPF program.

use crate::{Text, Timestamp, kind::kind};

kind! {
    /// A loaded BPF program, or what gives one away.
    BpfProgram = "bpf-program" {
        /// Its number; 0 if only its symbol is seen.
        1 id: u32 as Plain,
        /// Its type: `kprobe`, `tracing`, `xdp`, `cgroup_device`, …
        2 kind: String as Plain,
        /// Name its loader gave it (at most 15 bytes).
        3 name: Text as Plain,
        /// Digest of its instructions as hexadecimal digits.
        4 tag: String as Plain,
        /// When it was loaded, by the host's clock.
        5 loaded: Option<Timestamp> as Time,
        /// User id that loaded it.
        6 uid: u32 as Plain,
        /// Numbers of the maps it uses.
        7 maps: Vec<u32> as Plain,
        /// Functions of the kernel it calls that can change what other programs do or see.
        8 strong: Vec<String> as Plain,
        /// Whether the kernel said what it calls.
        9 calls_known: bool as Plain,
        /// Processes that hold it, its maps or its links open.
        10 owners: Vec<u32> as Pid,
        /// Programs of those processes.
        11 owner_programs: Vec<Text> as Path,
        /// Files of bpf file systems that keep it, its maps or its links.
        12 pins: Vec<Text> as Path,
        /// Where it is attached, in plain words.
        13 attached: Vec<String> as Plain,
        /// Whether the kernel's list of loaded programs names it.
        14 listed: bool as Plain,
        /// Whether calma could ask every process of the machine what it holds, so that no owner means there is none.
        15 owners_known: bool as Plain,
        /// How it shows itself although the list does not name it: `symbol` or `descriptor`; empty if it is listed.
        16 seen_by: String as Plain,
    }
}
