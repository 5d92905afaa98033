//! Off the network (rule 2): what is cut, what stays, who holds it, and what was proved. The host's side.
//!
//! [`survey`](survey::survey) looks at every network namespace, [`rules`] says what the packet filter is to hold there, the
//! [`guard`] puts it into force and keeps it. Packets that must not arrive ([`canary`]) are sent, and another machine
//! ([`witness`]) counts everything that comes from the suspect. [`preflight`] says what may break when the host
//! falls silent, [`external`] how it is cut off from outside. Nothing here knows the journal, the terminal or what is
//! suspicious.
#![forbid(unsafe_code)]

pub mod beat;
pub mod canary;
pub mod control;
pub mod external;
pub mod groups;
pub mod guard;
pub mod kept;
pub mod live;
pub mod order;
pub mod preflight;
pub mod preview;
pub mod proof;
pub mod restart;
pub mod rules;
pub mod second;
pub mod serve;
pub mod session;
pub mod start;
pub mod state;
pub mod survey;
pub mod verdict;
pub mod witness;
pub mod world;

pub use kept::Kept;
