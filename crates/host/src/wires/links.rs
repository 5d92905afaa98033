//! Links and what leads over them: taken down, saved, put back.

use super::saved::SavedNetwork;
use crate::HostError;

/// Links, addresses and routes of a namespace, by a socket that stays open.
pub trait Links: Send {
    /// Takes a link up or down (ip-link(8)). Taken down, it loses its routes, permanent neighbours and IPv6 addresses:
    /// save first.
    ///
    /// # Errors
    /// When there is no such link or the kernel refuses.
    fn set_up(&mut self, index: u32, up: bool) -> Result<(), HostError>;

    /// The network state as it is.
    ///
    /// # Errors
    /// When the kernel does not tell.
    fn save(&mut self) -> Result<SavedNetwork, HostError>;

    /// Brings back what is missing or has changed, and removes what the kernel made of itself meanwhile. May be run
    /// again from wherever it was cut. IPv6 addresses are checked anew by the kernel, which takes a second or two;
    /// routes that need one wait for that, at most five seconds.
    ///
    /// What could not be brought back is told in plain words: links that are gone, temporary IPv6 addresses (the kernel
    /// makes new ones), and what the kernel refused, with its reason.
    ///
    /// # Errors
    /// When the kernel does not tell the state as it is.
    fn restore(&mut self, saved: &SavedNetwork) -> Result<Vec<String>, HostError>;

    /// What differs from a saved state, in plain words; empty if nothing does. Counters, ages, running lifetimes and
    /// kernel handles are left out.
    ///
    /// # Errors
    /// When the kernel does not tell.
    fn compare(&mut self, saved: &SavedNetwork) -> Result<Vec<String>, HostError>;

    /// Makes addresses whose lifetime runs stay for ever, so that a lease that can not be renewed locks nobody out; how
    /// many. [`Links::restore`] gives the lifetimes back, without the time that has passed.
    ///
    /// # Errors
    /// When the kernel does not tell or refuses.
    fn pin_addresses(&mut self) -> Result<usize, HostError>;
}
