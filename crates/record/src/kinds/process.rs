//! Kind: a process.

use crate::{Text, Timestamp, kind::kind};

kind! {
    /// One process (thread group) as the running kernel shows it.
    Process = "process" {
        /// Process id in calma's pid namespace.
        1 pid: u32 as Pid,
        /// Parent's process id.
        2 parent: u32 as Parent,
        /// Start time in clock ticks since boot (field 22 of /proc/PID/stat); with the pid it names one process for good.
        3 start_ticks: u64 as Plain,
        /// Start time, from the boot time and the ticks.
        4 started: Timestamp as Time,
        /// Name the process gives itself (at most 15 bytes).
        5 name: Text as Plain,
        /// Arguments, as the process shows them now.
        6 arguments: Vec<Text> as Secret,
        /// Program file as /proc/PID/exe names it, without the " (deleted)" mark; `None` if there is none or it could not be read.
        7 program: Option<Text> as Path,
        /// Whether the program's file has no name any more.
        8 deleted: bool as Plain,
        /// Whether the program runs from an anonymous memory file (memfd_create(2)).
        9 memfd: bool as Plain,
        /// Inode number of the program's file.
        10 inode: Option<u64> as Plain,
        /// Device number of the program's file.
        11 device: Option<u64> as Plain,
        /// Working directory.
        12 directory: Option<Text> as Path,
        /// Root directory.
        13 root: Option<Text> as Path,
        /// User ids: real, effective, saved, for file access.
        14 uids: Vec<u32> as Plain,
        /// Group ids: real, effective, saved, for file access.
        15 gids: Vec<u32> as Plain,
        /// Effective capabilities (capabilities(7)) as a bit mask.
        16 capabilities: u64 as Plain,
        /// Permitted capabilities as a bit mask.
        17 permitted: u64 as Plain,
        /// User id that logged in (/proc/PID/loginuid); `None` if nobody did.
        18 login: Option<u32> as Plain,
        /// Audit session (/proc/PID/sessionid); `None` if there is none.
        19 login_session: Option<u32> as Plain,
        /// Session id: process id of the session leader.
        20 session: u32 as Plain,
        /// Process group id.
        21 group: u32 as Plain,
        /// Device number of the controlling terminal; 0 if there is none.
        22 terminal: u32 as Plain,
        /// Seccomp mode: 0 none, 1 strict, 2 filter.
        23 seccomp: Option<u32> as Plain,
        /// Whether it can never gain rights by executing.
        24 no_new_privileges: Option<bool> as Plain,
        /// Process that traces it (ptrace(2)); 0 if none.
        25 tracer: u32 as Pid,
        /// Number of threads.
        26 threads: u32 as Plain,
        /// Inode number of its pid namespace.
        27 pid_namespace: Option<u64> as Plain,
        /// Inode number of its mount namespace.
        28 mount_namespace: Option<u64> as Plain,
        /// Inode number of its network namespace.
        29 network_namespace: Option<u64> as Plain,
        /// Inode number of its user namespace.
        30 user_namespace: Option<u64> as Plain,
        /// Inode number of its cgroup namespace.
        31 cgroup_namespace: Option<u64> as Plain,
        /// Control group path (cgroups(7)).
        32 cgroup: Text as Plain,
        /// Unit of the service manager, from the control group.
        33 unit: Option<Text> as Unit,
        /// Container id, from the control group.
        34 container: Option<Text> as Plain,
        /// State letter: R running, S sleeping, D waiting for a device, Z zombie, T stopped, t traced, I idle.
        35 state: String as Plain,
        /// Whether the kernel says it is a thread of its own (PF_KTHREAD).
        36 kernel_thread: bool as Plain,
        /// Whether it has memory of its own; a kernel thread and a zombie have none.
        37 has_memory: bool as Plain,
        /// Executable memory areas that belong to no file, beside those the kernel makes; `None` if they could not be read.
        38 executable_anonymous: Option<u32> as Plain,
        /// Inode numbers of the sockets that are its standard input, output and error; 0 where that is no socket.
        39 standard_sockets: Vec<u64> as Plain,
        /// Whether it sees the same files as calma: same mount namespace and root directory.
        40 same_files: bool as Plain,
        /// Why its program could not be read, in plain words; `None` if it could, or there is none.
        41 program_unseen: Option<String> as Plain,
        /// Of the executable memory areas that belong to no file, those that may be written too.
        42 writable_code: Option<u32> as Plain,
    }
}
