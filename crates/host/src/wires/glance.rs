//! What can be seen through the wires without touching anything.

use super::{Abilities, Attached, Connection, Radio, SavedNetwork, SeenTable};
use crate::{HostError, Namespace};

/// Looks into a network namespace. Nothing is changed by any of them, so that a plan can be shown before it is run.
pub trait Glance: Send + Sync {
    /// What this kernel's packet filter can do, found by trying in a batch that is bound to fail as a whole.
    ///
    /// # Errors
    /// When the namespace can not be entered, or calma may not change its packet filter.
    fn abilities(&self, namespace: &Namespace) -> Result<Abilities, HostError>;

    /// Tables of the packet filter.
    ///
    /// # Errors
    /// When the namespace can not be entered or the kernel does not tell.
    fn tables(&self, namespace: &Namespace) -> Result<Vec<SeenTable>, HostError>;

    /// Links, addresses, routes, policy rules and permanent neighbours.
    ///
    /// # Errors
    /// When the namespace can not be entered or the kernel does not tell.
    fn network(&self, namespace: &Namespace) -> Result<SavedNetwork, HostError>;

    /// Programs at devices.
    ///
    /// # Errors
    /// When the namespace can not be entered or the kernel does not tell.
    fn programs(&self, namespace: &Namespace) -> Result<Vec<Attached>, HostError>;

    /// Sockets of the internet protocols.
    ///
    /// # Errors
    /// When the namespace can not be entered or the kernel does not tell.
    fn connections(&self, namespace: &Namespace) -> Result<Vec<Connection>, HostError>;

    /// Radios of the machine; none where the kernel has no such device.
    ///
    /// # Errors
    /// When something else stands at the device's name, or it is not for us.
    fn radios(&self) -> Result<Vec<Radio>, HostError>;
}
