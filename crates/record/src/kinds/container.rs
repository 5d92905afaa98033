//! Kind: a container or pod.

use crate::{Text, Timestamp, kind::kind};

kind! {
    /// One container, or one pod that the node itself starts, as the runtime's own files describe it.
    Container = "container" {
        /// `docker`, `containerd`, `podman`, `runc`, `crun`, `lxc`, or `static pod`.
        1 runtime: String as Plain,
        /// Its id; for LXC and pods the name.
        2 id: Text as Plain,
        /// Its name, if it has one.
        3 name: Text as Plain,
        /// The image it was made from; several of a pod with commas between them; empty if it is not written down.
        4 image: Text as Plain,
        /// The file that describes it.
        5 path: Text as Path,
        /// Process id of its first process, if it runs.
        6 pid: Option<u32> as Pid,
        /// When it was started.
        7 started: Option<Timestamp> as Time,
        /// What it runs.
        8 command: Vec<Text> as Secret,
        /// When it is started again: `always`, `unless-stopped`, `on-failure`; empty if never.
        9 restart: String as Plain,
        /// Whether nothing is held back from it: all capabilities, all devices, no filter of system calls.
        10 privileged: bool as Plain,
        /// Whether it sees the host's processes.
        11 host_pid: bool as Plain,
        /// Whether it uses the host's network.
        12 host_network: bool as Plain,
        /// Whether it shares the host's memory segments and queues.
        13 host_ipc: bool as Plain,
        /// Whether its root is an ordinary user of the host (user_namespaces(7)).
        14 user_namespace: bool as Plain,
        /// Capabilities beyond what runtimes give every container, without `CAP_`; `ALL` for all.
        15 capabilities: Vec<String> as Plain,
        /// Directories and files of the host that it may write.
        16 writable: Vec<Text> as Path,
        /// Directories and files of the host that it may only read.
        17 readable: Vec<Text> as Path,
        /// Devices of the host it was given by name.
        18 devices: Vec<Text> as Path,
        /// Guards that were turned off: `seccomp`, `apparmor`, `selinux`.
        19 unconfined: Vec<String> as Plain,
    }
}
