//! BPF programs at the devices of a namespace: listed, put out of action in place, and put back.

use crate::HostError;
use rustix::fd::OwnedFd;
use std::sync::Arc;

/// Where a program sits at a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Express data path, with `XDP_FLAGS_` of its mode: 2 generic, 4 driver, 8 hardware (`<linux/if_link.h>`).
    Xdp(u32),
    /// tcx, coming in or going out (Linux 6.6).
    Tcx {
        /// Whether it sees what comes in.
        ingress: bool,
    },
    /// netkit, at this device or for its peer (Linux 6.7).
    Netkit {
        /// Whether it is this device's own.
        primary: bool,
    },
    /// A filter of traffic control (tc-bpf(8)): its message without header.
    Filter(Vec<u8>),
}

impl Place {
    /// `BPF_TCX_INGRESS` and its like, `enum bpf_attach_type` of linux/bpf.h.
    pub(super) fn attach(&self) -> Option<u32> {
        match self {
            Self::Tcx { ingress } => Some(if *ingress { 46 } else { 47 }),
            Self::Netkit { primary } => Some(if *primary { 54 } else { 55 }),
            _ => None,
        }
    }
}

/// A program at a device. As long as this value lives the kernel keeps the program.
#[derive(Clone, Debug)]
pub struct Attached {
    /// Index of the device; 0 for a filter of a block that devices share.
    pub device: u32,
    /// Where it sits.
    pub place: Place,
    /// Its number; 0 for a filter of traffic control that is no BPF program.
    pub program: u32,
    /// Number of the link that holds it there, if one does.
    pub link: Option<u32>,
    /// A descriptor of it; `None` where it is no program or could not be opened.
    pub held: Option<Arc<OwnedFd>>,
}

impl std::fmt::Display for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = match &self.place {
            Place::Xdp(_) => "XDP",
            Place::Tcx { ingress: true } => "tcx ingress",
            Place::Tcx { ingress: false } => "tcx egress",
            Place::Netkit { .. } => "netkit",
            Place::Filter(_) => "traffic control",
        };
        match self.program {
            0 => write!(f, "{place} filter of interface {}", self.device),
            program => write!(f, "program {program} at {place} of interface {}", self.device),
        }
    }
}

/// A program that is out of action: another one, that lets everything pass, sits in its place.
#[derive(Clone, Debug)]
pub struct Disarmed {
    /// The program, as it was attached.
    pub was: Attached,
    /// Number of the one in its place.
    pub stands_in: u32,
}

/// Programs at the devices of a namespace.
///
/// Those of control groups, sockets and namespaces as such (`BPF_CGROUP_`, `BPF_SK_LOOKUP`) are not among them, nor
/// filters of classes below a queue; see [`crate::Bpf`].
pub trait Programs: Send {
    /// All of them: XDP, tcx, netkit, filters of traffic control.
    ///
    /// # Errors
    /// When the kernel does not tell of devices.
    fn list(&mut self) -> Result<Vec<Attached>, HostError>;

    /// Puts a program out of action: one that lets everything pass takes its place, in the same order and under the same
    /// link, if there is one. Refused with `ESTALE` or `ENOENT` if another sits there by now.
    ///
    /// # Errors
    /// When the kernel refuses, and for filters that are no BPF program or have actions beside them: these are left.
    fn disarm(&mut self, program: &Attached) -> Result<Disarmed, HostError>;

    /// Puts it back. What has been put in its place meanwhile by others stays, and is an error.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn rearm(&mut self, program: &Disarmed) -> Result<(), HostError>;
}
