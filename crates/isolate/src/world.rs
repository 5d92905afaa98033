//! What the guard needs of a machine: to look, and a door to each namespace. The live one is in [`crate::live`].

use crate::rules::{Family, Table};
use crate::survey::{Place, Survey};
use calma_host::HostError;
use calma_host::ground::GroupProgram;
use calma_record::{Digest, Text, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

/// Something that the kernel told of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// Somebody else changed the packet filter.
    Filter,
    /// It was changed through calma's own socket: by calma, or by somebody who took it (pidfd_getfd(2)).
    Own,
    /// Devices, addresses or routes changed.
    Network,
    /// Messages were lost: anything may have happened.
    Lost,
}

/// A connection of this host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Connected {
    /// `tcp`, `udp`, `raw`.
    pub protocol: String,
    /// Its own end.
    pub local: (IpAddr, u16),
    /// The other end.
    pub remote: (IpAddr, u16),
    /// The socket's inode number.
    pub inode: u64,
    /// The kernel's cookie of the socket: inode numbers may be given again, this is not.
    pub cookie: u64,
    /// The interface it is bound to; 0 for none.
    #[serde(default)]
    pub interface: u32,
}

/// A BPF program on the way of packets.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attached {
    /// The device's number.
    pub device: u32,
    /// The device's name.
    pub name: Text,
    /// Where it hangs, in words: `xdp`, `tcx in`, `tc out`.
    pub hook: String,
    /// The program's id.
    pub program: u32,
}

/// The door to one namespace. Tables that are not lasting live as long as it.
pub trait Door: Send {
    /// Puts the tables under this name into force, in one transaction, in place of those that calma had under it.
    ///
    /// # Errors
    /// When the kernel refuses; then nothing was changed.
    fn close(&mut self, name: &str, tables: &[Table], lasting: bool) -> Result<(), HostError>;

    /// Takes calma's tables of this name away, in one transaction.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn open(&mut self, name: &str) -> Result<(), HostError>;

    /// The names of all tables that are there.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn tables(&mut self) -> Result<Vec<(Family, Text)>, HostError>;

    /// What is in calma's tables of this name, but for what changes by itself: the same as long as nobody changes them.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn print(&mut self, name: &str) -> Result<Digest, HostError>;

    /// What came since it was last asked.
    fn told(&mut self) -> Vec<Told>;

    /// What becomes readable when something comes.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// The programs on the way of packets here.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn programs(&mut self) -> Result<Vec<Attached>, HostError>;

    /// Takes one away and keeps hold of it.
    ///
    /// # Errors
    /// When the kernel refuses; a link that a process holds can only be taken away with that process.
    fn detach(&mut self, program: &Attached) -> Result<(), HostError>;

    /// Puts back what was taken away. What could not be is told.
    fn attach_again(&mut self) -> Vec<String>;

    /// The connections of this namespace, those of loopback apart.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn connected(&mut self) -> Result<Vec<Connected>, HostError>;

    /// Ends a connection (SOCK_DESTROY of sock_diag(7)).
    ///
    /// # Errors
    /// When the kernel can not, or it is gone.
    fn end(&mut self, connection: &Connected) -> Result<(), HostError>;

    /// Links, addresses, routes, rules and lasting neighbours, as one value.
    ///
    /// # Errors
    /// When they can not be read.
    fn saved(&mut self) -> Result<Value, HostError>;

    /// Takes these devices down.
    ///
    /// # Errors
    /// When one stays up.
    fn down(&mut self, devices: &[u32]) -> Result<(), HostError>;

    /// Makes the network as it was saved; what still differs is told.
    ///
    /// # Errors
    /// When it can not be compared.
    fn restore(&mut self, saved: &Value) -> Result<Vec<String>, HostError>;
}

/// A machine.
pub trait World {
    /// Everything that is there now.
    fn survey(&self) -> Survey;

    /// The door to one of its namespaces.
    ///
    /// # Errors
    /// When it can not be entered.
    fn door(&self, place: &Place) -> Result<Box<dyn Door>, HostError>;

    /// Whether devices have a hook at their way out.
    fn egress(&self) -> bool;

    /// Whether the kernel takes tables away when the process that owns them ends.
    fn owner(&self) -> bool;

    /// Forgets the connections that the kernel tracks in a namespace.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn forget_tracked(&self, place: &Place) -> Result<(), HostError>;

    /// Turns every radio off; which were on is one value. `None` where there are none.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn radios_off(&self) -> Result<Option<Value>, HostError>;

    /// Turns on those that were on.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn radios_on(&self, were: &Value) -> Result<(), HostError>;

    /// Programs that control groups put on the way of packets and connections.
    fn group_programs(&self) -> Vec<GroupProgram>;

    /// Milliseconds since boot.
    fn now(&self) -> u64;

    /// The clock that people set.
    fn clock(&self) -> Timestamp;
}
