//! The only door to a machine.
//!
//! A [`Host`] is a tree of files, perhaps a running kernel, and a clock. [`Live`] is the machine calma runs on, [`Root`] a
//! mounted root seen from another system, [`Mem`] one made of values for tests. Nothing here knows what is suspicious.
//! All `unsafe` of the responder is in this crate, each with the obligation that makes it sound.

mod alone;
mod bpf;
mod clock;
mod eject;
mod error;
mod gentle;
pub mod ground;
mod hands;
mod interrupt;
mod kernel;
mod live;
mod mem;
mod netlink;
mod network;
mod path;
mod processes;
mod root;
pub mod standing;
mod survey;
mod tree;
pub mod wire;
pub mod wires;
mod worker;

pub use alone::{Alone, alone};
pub use bpf::{Bpf, BpfLink, BpfMap, BpfObject, BpfProgram};
pub use clock::Clock;
pub use eject::{EjectError, eject};
pub use error::{Cause, HostError};
pub use gentle::{Manners, behave, pressed};
pub use hands::{Hands, LiveHands, Mounting, NewFile, PROTECTING, SETTABLE, Tell};
pub use interrupt::{on_interrupt, on_interrupt_later};
pub use kernel::{Identity, Kernel};
pub use live::Live;
pub use mem::{Mem, MemBpf, MemNetwork, MemProcesses};
pub use network::{Answer, Namespace, Network, Protocol, Request};
pub use path::{join, parent, resolve};
pub use processes::{Asking, Held, Processes};
pub use root::{Root, RootError};
pub use survey::{APPEND_ONLY, AUTOMOUNT, Directory, ENCRYPTED, IMMUTABLE, NO_DUMP, Named, Stat, VERITY};
pub use tree::{Content, Entry, FileKind, Follow, Meta, Opened, Tree};
pub use wires::{Glance, LiveGlance, LiveWires, Wires};
pub use worker::{
    Confinement, Input, Kept, Question, Reply, Trouble, WorkerJob, Workers, read_in_place, serve_worker,
};

/// Peak resident memory of calma itself so far, in KiB (proc(5), `VmHWM`); 0 where it is not known.
pub fn peak_kib() -> u64 {
    live::peak_kib()
}

/// A machine, or what is left of one.
pub trait Host: Send + Sync {
    /// `live`, `root` or `memory`.
    fn target(&self) -> &'static str;

    /// Its files.
    fn tree(&self) -> &dyn Tree;

    /// Its running kernel; `None` for a tree that is not running.
    fn kernel(&self) -> Option<&dyn Kernel>;

    /// Its clock, which is its own claim.
    fn clock(&self) -> &dyn Clock;

    /// How many files' access times calma could not keep, with one of them.
    fn touched(&self) -> (u64, Option<calma_record::Text>);
}
