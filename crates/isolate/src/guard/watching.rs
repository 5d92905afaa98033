//! Watching: what somebody changes is put right and written down.

use super::{Guard, Held, INCIDENTS, closing};
use crate::groups::{self, CAN};
use crate::order::Phase;
use crate::rules;
use crate::survey::{Place, Survey};
use crate::world::Told;
use calma_host::ground::GroupProgram;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

impl Guard<'_> {
    /// Takes in what the kernel told. Whether anything did.
    pub fn listen(&mut self) -> bool {
        let mut told: BTreeSet<(Told, u64)> = BTreeSet::new();
        for (inode, held) in &mut self.held {
            told.extend(held.door.told().into_iter().map(|told| (told, *inode)));
        }
        for (what, inode) in &told {
            match what {
                Told::Lost => self
                    .happened("the kernel's messages came faster than they were read; all was checked", None),
                Told::Filter => self.filter_changed(*inode, true),
                Told::Own => self.filter_changed(*inode, false),
                Told::Network => {}
            }
        }
        if told.iter().any(|(told, _)| matches!(told, Told::Network | Told::Lost)) {
            self.look_again(told.iter().all(|(told, _)| *told != Told::Lost));
        }
        !told.is_empty()
    }

    /// Somebody changed the packet filter of a namespace: calma's tables are put there again if one is missing; the lasting
    /// ones, which anybody may change, in any case.
    fn filter_changed(&mut self, inode: u64, others: bool) {
        let Some(held) = self.held.get_mut(&inode) else { return };
        let missing = missing(held);
        let file = held.file.clone();
        let mut failed = None;
        if missing.is_empty() && !others {
            return;
        }
        if !missing.is_empty() || held.stays || !held.owned {
            failed = put_again(held).err();
        }
        let open = self.world.now().saturating_sub(self.seen);
        if let Some(why) = failed {
            self.happened(format!("the packet filter of {file} can not be put right: {why}"), Some(open));
        } else if !missing.is_empty() {
            let what = format!(
                "calma's tables were removed from {file}, or changed ({}), and put there again",
                missing.join(", ")
            );
            // The guard's own tables can not be removed while it lives, where the kernel knows owners.
            let own_gone =
                missing.iter().any(|name| Some(name) == self.held.get(&inode).map(|held| &held.name));
            self.happened(what, own_gone.then_some(open));
        } else {
            self.happened(
                format!("somebody changed the packet filter of {file}; calma's tables are whole"),
                None,
            );
        }
    }

    /// Looks at every namespace and device again, and closes what is new: something of which the kernel just `told`, or what nobody
    /// told of, which then may have been so since everything was looked at last.
    pub fn look_again(&mut self, told: bool) {
        let survey = self.world.survey();
        let open = self.world.now().saturating_sub(if told { self.seen } else { self.looked });
        let places: BTreeMap<u64, &Place> =
            closing::to_close(&survey, &self.state.order).map(|place| (place.inode, place)).collect();
        let gone: Vec<u64> = self.held.keys().filter(|inode| !places.contains_key(inode)).copied().collect();
        for inode in gone {
            // Its devices have gone elsewhere, or it has ended; where they are now, they are closed below.
            let still = survey.places.iter().any(|place| place.inode == inode);
            if let Some(held) = self.held.remove(&inode).filter(|_| still) {
                let names: Vec<String> = held.devices.values().map(ToString::to_string).collect();
                self.happened(format!("{} left {}", names.join(", "), held.file), None);
            }
        }
        for place in places.values() {
            match self.held.contains_key(&place.inode) {
                true => self.known(place, open),
                false => self.appeared(place, open),
            }
        }
        self.programs(self.world.now().saturating_sub(self.seen));
        self.look_at_groups();
        (self.seen, self.looked) = (self.world.now(), self.world.now());
    }

    /// A namespace that was closed before: perhaps with other devices now.
    fn known(&mut self, place: &Place, open: u64) {
        let Some(held) = self.held.get_mut(&place.inode) else { return };
        let tables = rules::tables(place, &self.wanted);
        let missing = missing(held);
        let same = tables == held.tables;
        if same && missing.is_empty() {
            return;
        }
        let devices: BTreeMap<u32, _> =
            place.outward().map(|device| (device.link.index, device.link.name.clone())).collect();
        let new: Vec<String> = devices
            .iter()
            .filter(|(index, name)| held.devices.get(index) != Some(name))
            .map(|(_, name)| name.to_string())
            .collect();
        (held.tables, held.devices) = (tables, devices);
        let file = held.file.clone();
        let failed = put_again(held).err();
        if let Some(why) = failed {
            self.happened(format!("the packet filter of {file} can not be put right: {why}"), Some(open));
        } else if !new.is_empty() {
            self.happened(format!("{} appeared in {file} and was closed", new.join(", ")), Some(open));
        } else if !missing.is_empty() && same {
            let open = self.world.now().saturating_sub(self.looked);
            self.happened(
                format!("calma's tables were removed from {file}, or changed, and put there again"),
                Some(open),
            );
        }
    }

    /// A namespace from which something leads out now.
    fn appeared(&mut self, place: &Place, open: u64) {
        let made = closing::new(self.world, place, &self.wanted).and_then(|mut held| {
            closing::put(&mut held)?;
            closing::remember(&mut held, false);
            if self.state.phase == Phase::Held {
                closing::lasting(&mut held)?;
            }
            Ok(held)
        });
        match made {
            Ok(held) => {
                self.held.insert(place.inode, held);
                self.happened(format!("a way out appeared in {} and was closed", place.file), Some(open));
            }
            Err(why) => {
                let what = format!("a way out appeared in {} and can not be closed: {why}", place.file);
                if !self.state.gaps.contains(&what) {
                    self.state.gaps.push(what.clone());
                    self.happened(what, Some(open));
                }
            }
        }
    }

    /// Looks at the programs on the way of packets; the kernel sends no word of all of them. A new one is taken off once
    /// the isolation is confirmed, and written down before.
    pub fn programs(&mut self, open: u64) {
        let confirmed = self.state.phase == Phase::Held;
        let mut news: Vec<(String, bool)> = Vec::new();
        for held in self.held.values_mut() {
            let Ok(now) = held.door.programs() else { continue };
            for program in now {
                if held.programs.contains(&program) {
                    continue;
                }
                let name = format!("program {} on {} ({})", program.program, program.name, program.hook);
                if !confirmed {
                    held.programs.insert(program);
                    news.push((format!("{name} appeared; it stays until you confirm"), true));
                } else if let Err(error) = held.door.detach(&program) {
                    held.programs.insert(program);
                    news.push((format!("{name} appeared and can not be taken off: {}", error.why()), true));
                } else {
                    if self.state.off.len() < INCIDENTS {
                        self.state.off.push(name.clone());
                    }
                    news.push((format!("{name} appeared and was taken off"), true));
                }
            }
        }
        for (what, was_open) in news {
            self.happened(what, was_open.then_some(open));
        }
    }

    /// Looks at the programs of control groups. They let nothing out, and stay; a new one is written down.
    fn look_at_groups(&mut self) {
        let now: BTreeSet<GroupProgram> = self.world.group_programs().into_iter().collect();
        if now == self.groups {
            return;
        }
        for new in now.difference(&self.groups.clone()) {
            self.happened(format!("{new} appeared; {CAN}"), None);
        }
        self.groups = now;
        self.name_groups();
    }

    /// Puts what is known of them into the state.
    pub(super) fn name_groups(&mut self) {
        let known: Vec<GroupProgram> = self.groups.iter().cloned().collect();
        self.state.groups = groups::words(&known);
    }

    /// The same, often: with how long ago all was last seen in order.
    pub fn look_at_programs(&mut self) {
        let open = self.world.now().saturating_sub(self.seen);
        self.programs(open);
        self.seen = self.world.now();
    }

    /// Puts the tables of the namespaces that fit there again.
    pub(super) fn again(&mut self, fits: impl Fn(&Held) -> bool) {
        let survey = self.world.survey();
        let mut failures = Vec::new();
        for (inode, held) in self.held.iter_mut().filter(|(_, held)| fits(held)) {
            if let Some(place) = survey.places.iter().find(|place| place.inode == *inode) {
                held.tables = rules::tables(place, &self.wanted);
            }
            if let Err(why) = put_again(held) {
                failures.push(format!("the packet filter of {} can not be changed: {why}", held.file));
            }
        }
        for what in failures {
            self.happened(what, None);
        }
    }
}

/// Which of calma's tables of a namespace are not there, or not as they were put there.
fn missing(held: &mut Held) -> Vec<String> {
    let Ok(there) = held.door.tables() else { return Vec::new() };
    let mut missing = Vec::new();
    for name in std::iter::once(&held.name).chain(held.stays.then_some(&held.lasting)) {
        let whole = held
            .tables
            .iter()
            .all(|table| there.iter().any(|(family, is)| *family == table.family && *is == **name));
        let print = held.prints.get(name);
        if !whole || print.is_some_and(|print| !held.door.print(name).is_ok_and(|now| now == *print)) {
            missing.push(name.clone());
        }
    }
    missing
}

/// Puts the tables there again, each name in one transaction.
fn put_again(held: &mut Held) -> Result<(), closing::NotClosed> {
    closing::put(held)?;
    closing::remember(held, false);
    if held.stays { closing::lasting(held) } else { Ok(()) }
}

/// Every address of this host, in any namespace.
pub(super) fn own_addresses(survey: &Survey) -> BTreeSet<IpAddr> {
    survey.places.iter().flat_map(|place| place.addresses.iter().map(|(_, address, _)| *address)).collect()
}
