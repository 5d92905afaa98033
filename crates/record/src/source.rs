//! Where a fact comes from, how it was read, and who could have forged it.

use crate::Text;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a fact was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// A file of the examined tree, opened by calma.
    File,
    /// A file of the proc file system (proc(5)).
    Proc,
    /// A file of the sys file system (sysfs(5)).
    Sys,
    /// A directory listing (getdents64(2)).
    Listing,
    /// The answer of a system call other than reading a file.
    SystemCall,
    /// A netlink dump (netlink(7)).
    Netlink,
    /// The bpf(2) system call or a BPF iterator.
    Bpf,
    /// Derived by comparing several views.
    CrossView,
    /// calma itself: its own clock, its own footprint.
    Own,
}

/// The least powerful party that could have made this fact say something untrue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forger {
    /// Any process running as the owner of the thing can write this (a process's own title, a user's file).
    Owner,
    /// Only root can write this (a system file, a log).
    Root,
    /// Only code in the kernel can make this untrue.
    Kernel,
    /// Nobody on the examined host: it was seen from outside, or is calma's own.
    Nobody,
}

impl fmt::Display for Forger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Owner => "could be forged by its owner",
            Self::Root => "could be forged by root",
            Self::Kernel => "could be forged by the kernel",
            Self::Nobody => "seen by calma itself",
        })
    }
}

/// The provenance of a fact: place, view, and the least powerful party that could forge it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The path that was read or the name of the interface that answered, for example `/proc/41/stat` or `sock_diag`.
    pub place: Text,
    /// How it was read.
    pub view: View,
    /// Who could have forged it.
    pub forger: Forger,
}

impl Source {
    /// A file of the examined tree that only root may write.
    pub fn file(place: impl Into<Text>) -> Self {
        Self { place: place.into(), view: View::File, forger: Forger::Root }
    }

    /// A file that belongs to an ordinary account, and so can be forged by it.
    pub fn owned_file(place: impl Into<Text>) -> Self {
        Self { place: place.into(), view: View::File, forger: Forger::Owner }
    }

    /// A proc file whose content the kernel makes.
    pub fn proc(place: impl Into<Text>) -> Self {
        Self { place: place.into(), view: View::Proc, forger: Forger::Kernel }
    }

    /// Any other interface of the running kernel.
    pub fn kernel(view: View, place: impl Into<Text>) -> Self {
        Self { place: place.into(), view, forger: Forger::Kernel }
    }
}
