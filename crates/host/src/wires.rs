//! Everything that changes a namespace's network, apart from all that observes: packet filter, links, sockets, programs.
//!
//! [`Wires`] are taken in few places alone, `calma_act::Permit` and the isolation's guard; `clippy.toml` bans
//! [`LiveWires::take`] everywhere else. Whoever only looks takes a [`Glance`]. No program of the host is run: all goes through netlink and bpf(2).

mod abilities;
mod connections;
mod events;
mod glance;
mod links;
mod live;
pub mod nft;
mod programs;
mod radios;
mod saved;
mod seen;
mod traffic;

use crate::{HostError, Namespace};
pub use abilities::Abilities;
use calma_record::Text;
pub use connections::{Connection, Connections};
pub use events::{Event, Events, News};
pub use glance::Glance;
pub use links::Links;
pub use live::{LiveGlance, LiveWires};
pub use programs::{Attached, Disarmed, Place, Programs};
pub use radios::Radio;
pub use saved::SavedNetwork;
pub use seen::{Contents, Count, SeenTable};
use std::collections::BTreeMap;

/// Doors to a network namespace. What is opened stays in that namespace, also when its file is gone.
pub trait Wires: Send + Sync {
    /// The packet filter.
    ///
    /// # Errors
    /// When the namespace can not be entered, or the kernel has no netfilter netlink.
    fn filter(&self, namespace: &Namespace) -> Result<Box<dyn Filter>, HostError>;

    /// Links, addresses and routes.
    ///
    /// # Errors
    /// When the namespace can not be entered.
    fn links(&self, namespace: &Namespace) -> Result<Box<dyn Links>, HostError>;

    /// Sockets of the internet protocols.
    ///
    /// # Errors
    /// When the namespace can not be entered, or the kernel has no sock_diag(7).
    fn connections(&self, namespace: &Namespace) -> Result<Box<dyn Connections>, HostError>;

    /// BPF programs at devices.
    ///
    /// # Errors
    /// When the namespace can not be entered.
    fn programs(&self, namespace: &Namespace) -> Result<Box<dyn Programs>, HostError>;

    /// What happens to the packet filter, links, addresses, routes and traffic control from now on.
    ///
    /// # Errors
    /// When the namespace can not be entered, or the kernel does not tell.
    fn events(&self, namespace: &Namespace) -> Result<Box<dyn Events>, HostError>;

    /// Forgets all tracked connections (conntrack(8)).
    ///
    /// # Errors
    /// When the namespace can not be entered or the kernel refuses; one without connection tracking has nothing to
    /// forget.
    fn forget_connections(&self, namespace: &Namespace) -> Result<(), HostError>;

    /// Blocks a radio in software, or frees it. One that is plugged in later is not concerned.
    ///
    /// # Errors
    /// When the kernel refuses or the radio is gone.
    fn block_radio(&self, radio: &Radio, blocked: bool) -> Result<(), HostError>;
}

/// The packet filter of a namespace, by a socket that stays open. Tables made with the flag `owner` live as long as it.
pub trait Filter: Send {
    /// Carries out a batch, as a whole or not at all.
    ///
    /// # Errors
    /// With what the first failing message was about and the kernel's own words; nothing is changed then.
    fn commit(&mut self, batch: &nft::Batch) -> Result<(), HostError>;

    /// The netlink port of this socket: the owner that tables show, and the cause of its own events.
    fn port(&self) -> u32;

    /// The number of the rule set's generation; it grows with every change.
    ///
    /// # Errors
    /// When the kernel does not tell.
    fn generation(&mut self) -> Result<u32, HostError>;

    /// All tables.
    ///
    /// # Errors
    /// When the kernel does not tell.
    fn tables(&mut self) -> Result<Vec<SeenTable>, HostError>;

    /// What the counters of a table's rules say, by tag; those of equal tags are added up. Rules without tag are left
    /// out.
    ///
    /// # Errors
    /// When the kernel does not tell.
    fn counters(&mut self, table: &nft::Table) -> Result<BTreeMap<Text, Count>, HostError>;

    /// Everything in a table but what changes by itself: equal as long as nobody changes it. Empty for one that is gone.
    ///
    /// # Errors
    /// When the kernel does not tell.
    fn contents(&mut self, table: &nft::Table) -> Result<Contents, HostError>;
}
