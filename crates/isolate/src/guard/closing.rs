//! Closing: every door first, then the tables of all namespaces one right after another, all or none.

use super::{Guard, Held, Saved, at_console};
use crate::order::{Level, Order, Phase, State};
use crate::rules::{self, Wanted};
use crate::survey::{Place, Survey};
use crate::world::World;
use calma_host::HostError;
use calma_record::Text;
use calma_record::step::ProcessName;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The tables' names, the first that nobody has.
const NAMES: [&str; 4] = ["calma", "calma-guard", "calma-isolation", "calma-cut"];
/// The names of the tables that outlive the guard.
const LASTING: [&str; 4] = ["calma-held", "calma-lasting", "calma-isolation-held", "calma-cut-held"];

/// How a gap of the trial alone is told.
pub(super) const UNTIL: &str = "until you confirm";

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
    /// What is about to be done can not be written down.
    #[error("what is about to be done can not be written down: {why}")]
    Promise {
        /// Why.
        why: String,
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
    /// Closes. What was done before a failure is taken back. `promise` is given what will be, while nothing is in force yet:
    /// whoever finds the host after a crash must know which tables are calma's.
    ///
    /// # Errors
    /// With the reason; then nothing is closed.
    pub fn close(
        world: &'a dyn World,
        order: Order,
        boot: Text,
        guard: ProcessName,
        promise: &mut dyn FnMut(&Self) -> std::io::Result<()>,
    ) -> Result<Self, NotClosed> {
        let survey = world.survey();
        let wanted = Wanted {
            kept: order.kept.clone(),
            open: Vec::new(),
            leases: order.leases.clone(),
            link_types: order.link_types.clone(),
            beat: order.beat.map(|beat| beat.to),
            egress: world.egress(),
            owner: world.owner() && !order.without_owner,
        };
        let mut held = BTreeMap::new();
        for place in to_close(&survey, &order) {
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
        let mut guard = Self {
            world,
            wanted,
            held,
            state,
            seen: now,
            looked: now,
            window: 0,
            groups: BTreeSet::new(),
            saved: Saved::default(),
            said: Vec::new(),
        };
        match guard.enforce(&survey, promise) {
            Ok(()) => Ok(guard),
            Err(why) => {
                drop(guard.open());
                Err(why)
            }
        }
    }

    /// Everything from the promise to the last table. Whoever calls it takes back what was done before a failure.
    fn enforce(
        &mut self,
        survey: &Survey,
        promise: &mut dyn FnMut(&Self) -> std::io::Result<()>,
    ) -> Result<(), NotClosed> {
        let links_down = self.state.order.level == Level::LinksDown;
        if links_down {
            self.save_networks()?;
        }
        promise(self).map_err(|error| NotClosed::Promise { why: error.to_string() })?;
        self.state.closed = self.world.now();
        for one in self.held.values_mut() {
            put(one)?;
        }
        let closed = self.world.now();
        self.window = closed.saturating_sub(self.state.closed);
        (self.state.closed, self.seen, self.looked) = (closed, closed, closed);
        // Not before all are in force: it takes time.
        self.held.values_mut().for_each(|one| remember(one, false));
        if links_down {
            self.links_down()?;
        }
        for one in self.held.values_mut() {
            one.programs = one.door.programs().unwrap_or_default().into_iter().collect();
        }
        self.groups = self.world.group_programs().into_iter().collect();
        self.name_groups();
        if at_console(&self.state.order) {
            self.make_lasting()?;
            // Nobody will confirm: what waits for that elsewhere is done now. The addresses are those of before the links
            // went down, which takes some away.
            self.said = self.detach();
            let ended = self.end_connections(survey);
            self.said.push(ended);
        } else {
            let programs = self.held.values().flat_map(|held| &held.programs);
            let until = programs.map(|one| {
                format!(
                    "program {} stays on {} ({}) {UNTIL}: what it lets out is not cut before",
                    one.program, one.name, one.hook
                )
            });
            let until: Vec<String> = until.collect();
            self.state.gaps.extend(until);
        }
        Ok(())
    }

    /// Puts tables that outlive the guard beside its own.
    pub(super) fn make_lasting(&mut self) -> Result<(), NotClosed> {
        self.held.values_mut().try_for_each(lasting)
    }

    /// What a release puts back, also one that finds no guard any more.
    fn save_networks(&mut self) -> Result<(), NotClosed> {
        for (inode, one) in &mut self.held {
            let refused = |source| NotClosed::Link { file: one.file.clone(), source };
            let saved = one.door.saved().map_err(refused)?;
            self.saved.networks.insert(*inode, saved);
        }
        Ok(())
    }

    /// Level 2: turns radios off and takes the links down.
    fn links_down(&mut self) -> Result<(), NotClosed> {
        match self.world.radios_off() {
            Ok(were) => self.saved.radios = were,
            Err(error) => self.state.gaps.push(format!("radios could not be turned off: {}", error.why())),
        }
        for one in self.held.values_mut() {
            let devices: Vec<u32> = one.devices.keys().copied().collect();
            let refused = |source| NotClosed::Link { file: one.file.clone(), source };
            one.door.down(&devices).map_err(refused)?;
        }
        Ok(())
    }

    /// What a release, also one without this guard, needs to make the network as it was.
    pub fn to_put_back(&self) -> Value {
        serde_json::json!({ "radios": self.saved.radios, "networks": self.saved.networks })
    }
}

/// The namespaces that are closed: those from which something leads out, and at the start of a system its own, in which something
/// soon will.
pub(super) fn to_close<'a>(survey: &'a Survey, order: &Order) -> impl Iterator<Item = &'a Place> + use<'a> {
    let restarted = order.restarted;
    survey.places.iter().filter(move |place| place.outward().next().is_some() || restarted && place.own)
}

/// A namespace with its door and its tables, not in force yet.
pub(super) fn new(world: &dyn World, place: &Place, wanted: &Wanted) -> Result<Held, NotClosed> {
    let file = place.file.clone();
    let mut door = world.door(place).map_err(|source| NotClosed::Door { file: file.clone(), source })?;
    let taken = door.tables().unwrap_or_default();
    let free = |names: &[&str]| {
        let name = names.iter().find(|name| !taken.iter().any(|(_, taken)| *taken == ***name));
        name.map(|name| (*name).to_owned()).ok_or(NotClosed::Names { file: file.clone() })
    };
    let (name, lasting) = (free(&NAMES)?, free(&LASTING)?);
    let (stays, owned) = (false, wanted.owner);
    let devices = place.outward().map(|device| (device.link.index, device.link.name.clone())).collect();
    let tables = rules::tables(place, wanted);
    let (prints, programs) = (BTreeMap::new(), Default::default());
    Ok(Held { door, file, name, lasting, stays, owned, tables, prints, devices, programs })
}

/// Puts a namespace's tables into force.
pub(super) fn put(held: &mut Held) -> Result<(), NotClosed> {
    let done = held.door.close(&held.name, &held.tables, !held.owned);
    done.map_err(|source| NotClosed::Filter { file: held.file.clone(), source })
}

/// The same under a name that outlives the guard.
pub(super) fn lasting(held: &mut Held) -> Result<(), NotClosed> {
    let done = held.door.close(&held.lasting, &held.tables, true);
    done.map_err(|source| NotClosed::Filter { file: held.file.clone(), source })?;
    held.stays = true;
    remember(held, true);
    Ok(())
}

/// Remembers what is in the tables now.
pub(super) fn remember(held: &mut Held, lasting: bool) {
    let name = if lasting { &held.lasting } else { &held.name };
    match held.door.print(name) {
        Ok(print) => drop(held.prints.insert(name.clone(), print)),
        Err(_) => drop(held.prints.remove(name)),
    }
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
