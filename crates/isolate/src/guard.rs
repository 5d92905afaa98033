//! Who holds the isolation: closes, watches, confirms, opens again. One process of its own, without a terminal.
//!
//! While the trial runs, everything the guard did lives with its sockets: when it ends, for whatever reason, the kernel
//! takes the tables away. What the kernel would not put back by itself (programs that were attached, connections, links
//! that are up) is left alone until a person has confirmed, except at a console, where nothing opens by itself.

mod closing;
mod confirming;
mod opening;
mod watching;

use crate::order::{Cut, Incident, Level, Order, Phase, State};
use crate::rules::{Table, Wanted};
use crate::world::{Attached, Door, World};
use calma_host::ground::GroupProgram;
use calma_record::step::ProcessName;
use calma_record::{Digest, Text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub use closing::NotClosed;

/// Most incidents that are kept; the others are counted.
const INCIDENTS: usize = 1000;

/// The isolation of one machine while it is held.
pub struct Guard<'a> {
    world: &'a dyn World,
    wanted: Wanted,
    held: BTreeMap<u64, Held>,
    state: State,
    /// When nothing was known to be open, in milliseconds since boot: as far as the kernel told, and as everything was looked at.
    seen: u64,
    looked: u64,
    /// Milliseconds from the first table to the last.
    window: u64,
    /// Programs of control groups that are known to be there.
    groups: BTreeSet<GroupProgram>,
    /// What was on, and what was up.
    saved: Saved,
    /// What closing changed that a person should know of, one sentence each.
    said: Vec<String>,
}

/// What only a release puts back.
#[derive(Default)]
struct Saved {
    radios: Option<Value>,
    networks: BTreeMap<u64, Value>,
}

/// One namespace.
struct Held {
    door: Box<dyn Door>,
    file: Text,
    name: String,
    /// Name of the tables that outlive the guard: chosen before, so that it is on record when they come.
    lasting: String,
    /// Whether they are in force.
    stays: bool,
    /// Whether the tables of `name` go with the guard; where the kernel has no such tables, somebody else must open.
    owned: bool,
    tables: Vec<Table>,
    /// What was in the tables when they were put there, by their names.
    prints: BTreeMap<String, Digest>,
    devices: BTreeMap<u32, Text>,
    /// Programs that are known to be on the way: those that were there before, until they are taken away.
    programs: BTreeSet<Attached>,
}

impl Guard<'_> {
    /// Where it stands.
    pub fn state(&self) -> State {
        let cut = |(inode, held): (&u64, &Held)| Cut {
            inode: *inode,
            file: held.file.clone(),
            table: held.name.clone(),
            lasting: held.lasting.clone(),
            devices: held.devices.values().cloned().collect(),
        };
        State { cuts: self.held.iter().map(cut).collect(), ..self.state.clone() }
    }

    /// What becomes readable when something happens.
    pub fn descriptors(&self) -> Vec<std::os::fd::BorrowedFd<'_>> {
        self.held.values().flat_map(|held| held.door.descriptors()).collect()
    }

    /// Whether another process must open when this one ends: on trial, where the kernel does not.
    pub fn needs_second(&self) -> bool {
        self.state.phase == Phase::Trial && !self.wanted.owner
    }

    /// How long one way was closed and another one not yet, in milliseconds.
    pub fn window(&self) -> u64 {
        self.window
    }

    /// What closing changed that a person should know of, one sentence each.
    pub fn said(&self) -> &[String] {
        &self.said
    }

    /// How long until the trial ends, in milliseconds; `None` when it does not end by itself.
    pub fn left(&self) -> Option<u64> {
        let trial = self.state.phase == Phase::Trial && self.state.ends > 0;
        trial.then(|| self.state.ends.saturating_sub(self.world.now()))
    }

    /// How often something happened.
    pub fn incidents(&self) -> u64 {
        self.state.incidents.len() as u64 + self.state.more
    }

    /// Writes down what happened.
    pub(crate) fn happened(&mut self, what: impl Into<String>, open: Option<u64>) {
        if self.state.incidents.len() < INCIDENTS {
            self.state.incidents.push(Incident { at: self.world.now(), what: what.into(), open });
        } else {
            self.state.more += 1;
        }
    }
}

/// Whether somebody sits at a console: then it fails closed, and nothing is left for later.
fn at_console(order: &Order) -> bool {
    order.trial == 0 || order.level == Level::LinksDown
}

/// Who the guard is, for the state.
pub fn own_name() -> ProcessName {
    let line = calma_host::ground::process(std::process::id());
    line.map(|line| line.identity()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
