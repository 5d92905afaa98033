//! The wires of the machine calma runs on.

mod channel;
mod connections;
mod events;
mod filter;
mod glance;
mod links;
mod programs;
mod radios;

use super::{Connections, Events, Filter, Links, Programs, Radio, Wires};
use crate::{HostError, Namespace, Protocol};
use channel::Channel;
pub use glance::LiveGlance;

/// The wires of the machine calma runs on.
#[derive(Debug)]
pub struct LiveWires {}

impl LiveWires {
    /// Takes hold. Only `calma_act::Permit` and the isolation's guard may.
    pub fn take() -> Self {
        Self {}
    }
}

impl Wires for LiveWires {
    fn filter(&self, namespace: &Namespace) -> Result<Box<dyn Filter>, HostError> {
        Ok(Box::new(filter::LiveFilter::open(namespace)?))
    }

    fn links(&self, namespace: &Namespace) -> Result<Box<dyn Links>, HostError> {
        Ok(Box::new(links::LiveLinks::open(namespace)?))
    }

    fn connections(&self, namespace: &Namespace) -> Result<Box<dyn Connections>, HostError> {
        Ok(Box::new(connections::LiveConnections::open(namespace)?))
    }

    fn programs(&self, namespace: &Namespace) -> Result<Box<dyn Programs>, HostError> {
        Ok(Box::new(programs::LivePrograms::open(namespace)?))
    }

    fn events(&self, namespace: &Namespace) -> Result<Box<dyn Events>, HostError> {
        Ok(Box::new(events::LiveEvents::open(namespace)?))
    }

    fn forget_connections(&self, namespace: &Namespace) -> Result<(), HostError> {
        // NFNL_SUBSYS_CTNETLINK with IPCTNL_MSG_CT_DELETE and no tuple, of all families
        // (<linux/netfilter/nfnetlink_conntrack.h>).
        const FORGET: u16 = 1 << 8 | 2;
        let mut channel = Channel::open(namespace, Protocol::NETFILTER)?;
        match channel.order(FORGET, 0, &[0; 4]) {
            // EINVAL: the kernel has no such part.
            Err(failure) if failure.errno == rustix::io::Errno::INVAL => Ok(()),
            other => other.map_err(|failure| failure.about("forget", "tracked connections")),
        }
    }

    fn block_radio(&self, radio: &Radio, blocked: bool) -> Result<(), HostError> {
        radios::set(radio, blocked)
    }
}
