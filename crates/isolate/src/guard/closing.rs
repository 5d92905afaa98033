//! Closing: every door first, then the tables of all namespaces one right after another, all or none.

use super::{Guard, Held, Saved, at_console};
use crate::order::{Level, Order, Phase, State};
use crate::rules::{self, Wanted};
use crate::survey::{Place, Survey};
use crate::world::{Door, World};
use calma_host::HostError;
use calma_record::Text;
use calma_record::step::ProcessName;
use serde_json::Value;
use std::collections::BTreeMap;

/// The tables' names, the first that nobody has.
const NAMES: [&str; 4] = ["calma", "calma-guard", "calma-isolation", "calma-cut"];
/// The names of the tables that outlive the guard.
const LASTING: [&str; 4] = ["calma-held", "calma-lasting", "calma-isolation-held", "calma-cut-held"];

/// Why nothing was closed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotClosed {
    /// No device leads out.
    #[error("no device of this host leads out: it is off the network already")]
    NothingOut,
    /// A namespace could not be entered.
    #[error("the network namespace {file} can not be entered: {source}")]
    Door {
        /// The namespace.
        file: Text,
        /// Why.
        source: HostError,
    },
    /// The kernel refused the packet filter.
    #[error("the packet filter of {file} was refused: {source}")]
    Filter {
        /// The namespace.
        file: Text,
        /// Why.
        source: HostError,
    },
    /// All names are taken.
    #[error("somebody has tables of all names that calma would use in {file}")]
    Names {
        /// The namespace.
        file: Text,
    },
    /// A link stays up.
    #[error("a link of {file} can not be taken down: {source}")]
    Link {
        /// The namespace.
        file: Text,
        /// Why.
        source: HostError,
    },
}

impl<'a> Guard<'a> {
    /// Closes. What was done before a failure is taken back: the doors go, and the kernel opens again.
    ///
    /// # Errors
    /// With the reason; then nothing is closed.
    pub fn close(
        world: &'a dyn World,
        order: Order,
        boot: Text,
        guard: ProcessName,
    ) -> Result<Self, NotClosed> {
        let survey = world.survey();
        let wanted = Wanted {
            kept: order.kept.clone(),
            open: Vec::new(),
            leases: order.leases.clone(),
            link_types: order.link_types.clone(),
            egress: world.egress(),
        };
        let mut held = BTreeMap::new();
        for place in survey.leading_out() {
            match new(world, place, &wanted) {
                Err(NotClosed::Door { source, .. }) if source.is_missing() => {}
                other => drop(held.insert(place.inode, other?)),
            }
        }
        if held.is_empty() {
            return Err(NotClosed::NothingOut);
        }
        // At a console nothing is to open by itself: the tables outlive the guard from the start.
        let lasting = at_console(&order);
        for one in held.values_mut() {
            let name = one.name.clone();
            put(one, &name, false)?;
        }
        let now = world.now();
        let ends = if lasting { 0 } else { now.saturating_add(order.trial.saturating_mul(1000)) };
        let state = State {
            schema: 1,
            phase: if lasting { Phase::Held } else { Phase::Trial },
            boot,
            guard,
            closed: now,
            ends,
            gaps: gaps(&survey, &wanted),
            order,
            ..State::default()
        };
        let mut guard = Self { world, wanted, held, state, seen: now, saved: Saved::default() };
        if guard.state.order.level == Level::LinksDown {
            guard.links_down()?;
        }
        for one in guard.held.values_mut() {
            one.programs = one.door.programs().unwrap_or_default().into_iter().collect();
        }
        if lasting {
            guard.make_lasting()?;
        }
        Ok(guard)
    }

    /// Puts tables that outlive the guard beside its own.
    pub(super) fn make_lasting(&mut self) -> Result<(), NotClosed> {
        for one in self.held.values_mut() {
            lasting(one)?;
        }
        Ok(())
    }

    /// Level 2: saves the network of every namespace, turns radios off and takes the links down.
    fn links_down(&mut self) -> Result<(), NotClosed> {
        for (inode, one) in &mut self.held {
            let refused = |source| NotClosed::Link { file: one.file.clone(), source };
            let saved = one.door.saved().map_err(refused)?;
            self.saved.networks.insert(*inode, saved);
        }
        match self.world.radios_off() {
            Ok(were) => self.saved.radios = were,
            Err(error) => self.state.gaps.push(format!("radios could not be turned off: {}", error.why())),
        }
        let mut failed = None;
        for one in self.held.values_mut() {
            let devices: Vec<u32> = one.devices.keys().copied().collect();
            if let Err(source) = one.door.down(&devices) {
                failed = Some(NotClosed::Link { file: one.file.clone(), source });
                break;
            }
        }
        match failed {
            None => Ok(()),
            Some(why) => {
                drop(self.up_again());
                Err(why)
            }
        }
    }

    /// What a release, also one without this guard, needs to make the network as it was.
    pub fn to_put_back(&self) -> Value {
        serde_json::json!({ "radios": self.saved.radios, "networks": self.saved.networks })
    }
}

/// A namespace with its door and its tables, not in force yet.
pub(super) fn new(world: &dyn World, place: &Place, wanted: &Wanted) -> Result<Held, NotClosed> {
    let file = place.file.clone();
    let mut door = world.door(place).map_err(|source| NotClosed::Door { file: file.clone(), source })?;
    let name = free(door.as_mut(), &NAMES).ok_or_else(|| NotClosed::Names { file: file.clone() })?;
    let lasting = String::new();
    let devices = place.outward().map(|device| (device.link.index, device.link.name.clone())).collect();
    let tables = rules::tables(place, wanted);
    Ok(Held { door, file, name, lasting, tables, devices, programs: Default::default() })
}

/// The first of these names that no table has.
fn free(door: &mut dyn Door, names: &[&str]) -> Option<String> {
    let taken = door.tables().unwrap_or_default();
    let name = names.iter().find(|name| !taken.iter().any(|(_, taken)| *taken == **name));
    name.map(|name| (*name).to_owned())
}

/// Puts a namespace's tables into force.
pub(super) fn put(held: &mut Held, name: &str, lasting: bool) -> Result<(), NotClosed> {
    let done = held.door.close(name, &held.tables, lasting);
    done.map_err(|source| NotClosed::Filter { file: held.file.clone(), source })
}

/// The same under a name that outlives the guard.
pub(super) fn lasting(held: &mut Held) -> Result<(), NotClosed> {
    if held.lasting.is_empty() {
        let name = free(held.door.as_mut(), &LASTING);
        held.lasting = name.ok_or_else(|| NotClosed::Names { file: held.file.clone() })?;
    }
    let name = held.lasting.clone();
    put(held, &name, true)
}

/// What is not cut, or not known to be.
fn gaps(survey: &Survey, wanted: &Wanted) -> Vec<String> {
    let mut gaps: Vec<String> = survey
        .closed
        .iter()
        .map(|(file, why)| format!("the network namespace {file} can not be entered: {why}"))
        .collect();
    if !wanted.egress {
        gaps.push(
            "this kernel has no hook at the way out of a device (Linux 5.16): frames of packet sockets leave"
                .to_owned(),
        );
    }
    gaps
}
