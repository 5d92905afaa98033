//! Collectors: what a host shows, as facts with their source, and gaps for what it does not.
//!
//! A collector never fails and never judges: severity, ATT&CK and writing are unknown here. Each is one file in
//! `collectors/` with its card, and runs on its own thread under a time bound, so that a hang of one never stops the rest.
#![forbid(unsafe_code)]

mod area;
mod collector;
mod collectors;
mod context;
mod describe;
mod examiner;
mod examiners;
mod jobs;
mod libraries;
mod net;
mod odd;
mod out;
mod owner;
mod patience;
mod pids;
mod place;
mod process;
mod runner;
mod settings;
mod share;
mod sshd;
mod startup;
mod sweep;
mod symbols;
mod walk;
mod web;

pub use collector::{Card, Collector, Needs, Volatility};
pub use collectors::ALL;
pub use context::{Context, Options};
pub use examiner::{Examiner, ExaminerCard};
pub use examiners::ALL as EXAMINERS;
pub use jobs::{check_rules, work};
pub use net::{Answers, Known, network_namespaces};
pub use out::{Flow, Item, Out, gather};
pub use owner::{Manager, Owner, Packages};
pub use patience::Patience;
pub use runner::{Progress, run};
pub use sweep::{Listed, Neighbours, Seen, Swept, sweep};
