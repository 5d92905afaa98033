//! The running kernel of this machine.

use crate::{Bpf, Identity, Kernel, Network, Processes};

/// The running kernel of this machine.
#[derive(Debug, Default)]
pub(crate) struct LiveKernel {}

impl Kernel for LiveKernel {
    fn identity(&self) -> Identity {
        let name = rustix::system::uname();
        Identity {
            host: name.nodename().to_bytes().into(),
            release: name.release().to_bytes().into(),
            version: name.version().to_bytes().into(),
            machine: name.machine().to_bytes().into(),
        }
    }

    fn own_pid(&self) -> u32 {
        std::process::id()
    }

    fn own_uid(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn ticks_per_second(&self) -> u64 {
        rustix::param::clock_ticks_per_second()
    }

    fn page_size(&self) -> u64 {
        rustix::param::page_size() as u64
    }

    fn processes(&self) -> &dyn Processes {
        self
    }

    fn network(&self) -> &dyn Network {
        self
    }

    fn bpf(&self) -> &dyn Bpf {
        self
    }
}
