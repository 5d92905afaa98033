//! A running kernel, as far as system calls reach it.

use crate::{Bpf, Network, Processes};
use calma_record::Text;

/// What the kernel says of itself (uname(2)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Node name.
    pub host: Text,
    /// Release.
    pub release: Text,
    /// Version.
    pub version: Text,
    /// Machine.
    pub machine: Text,
}

/// System calls that are not about files, by what they are about.
pub trait Kernel: Send + Sync {
    /// uname(2).
    fn identity(&self) -> Identity;

    /// calma's own process id.
    fn own_pid(&self) -> u32;

    /// calma's effective user id.
    fn own_uid(&self) -> u32;

    /// Clock ticks a second (sysconf(3), `_SC_CLK_TCK`).
    fn ticks_per_second(&self) -> u64;

    /// Bytes in a page.
    fn page_size(&self) -> u64;

    /// Views on processes.
    fn processes(&self) -> &dyn Processes;

    /// Netlink and network namespaces.
    fn network(&self) -> &dyn Network;

    /// The bpf(2) system call.
    fn bpf(&self) -> &dyn Bpf;
}
