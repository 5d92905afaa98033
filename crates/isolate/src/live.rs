//! The world of the machine calma runs on.

mod written;

use crate::rules::{Family, Table};
use crate::survey::{Place, Survey, survey};
use crate::world::{Attached, Connected, Door, Told, World};
use calma_collect::{Context, Options};
use calma_host::wires::{Abilities, Events, Filter, LiveWires, News, Wires};
use calma_host::{Cause, Host, HostError, Live, Namespace, standing};
use calma_record::Text;
use serde_json::Value;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// This machine.
pub struct LiveWorld {
    host: Arc<Live>,
    wires: LiveWires,
    abilities: Abilities,
}

impl LiveWorld {
    /// This machine, to be changed; what its kernel can is tried at once, without leaving anything.
    pub fn new(host: Arc<Live>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the guard holds what a promised intent began")]
        let wires = LiveWires::take();
        let abilities = wires.abilities(&Namespace::Own).unwrap_or_default();
        Self { host, wires, abilities }
    }

    /// What its kernel can.
    pub fn abilities(&self) -> Abilities {
        self.abilities
    }
}

impl World for LiveWorld {
    fn survey(&self) -> Survey {
        let host: Arc<dyn Host> = Arc::clone(&self.host) as Arc<dyn Host>;
        survey(&Context::new(host, Options::default()))
    }

    fn door(&self, place: &Place) -> Result<Box<dyn Door>, HostError> {
        // A process by which it was found may have ended; another one may still be in it.
        let others = place.pids.iter().map(|pid| Namespace::At(format!("/proc/{pid}/ns/net").into()));
        let mut last = HostError::new("setns", place.file.clone(), Cause::Unsupported);
        for namespace in std::iter::once(place.namespace.clone()).chain(others) {
            // News first: what changes in between is heard.
            let opened =
                self.wires.events(&namespace).and_then(|events| Ok((events, self.wires.filter(&namespace)?)));
            match opened {
                Ok((events, filter)) => return Ok(Box::new(LiveDoor { filter, events })),
                Err(error) if error.is_missing() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn egress(&self) -> bool {
        self.abilities.egress
    }

    fn radios_off(&self) -> Result<Option<Value>, HostError> {
        Ok(None)
    }

    fn radios_on(&self, _: &Value) -> Result<(), HostError> {
        Ok(())
    }

    fn now(&self) -> u64 {
        u64::try_from(standing::since_boot().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The door to one namespace of this machine.
struct LiveDoor {
    filter: Box<dyn Filter>,
    events: Box<dyn Events>,
}

impl LiveDoor {
    /// The families in which calma's tables of this name are.
    fn there(&mut self, name: &str) -> Result<Vec<Family>, HostError> {
        let tables = self.tables()?;
        Ok(tables.into_iter().filter(|(_, is)| *is == *name).map(|(family, _)| family).collect())
    }
}

impl Door for LiveDoor {
    fn close(&mut self, name: &str, tables: &[Table], lasting: bool) -> Result<(), HostError> {
        let there = self.there(name)?;
        let wanted = |family: &Family| tables.iter().any(|table| table.family == *family);
        let stale: Vec<Family> = there.into_iter().filter(|family| !wanted(family)).collect();
        self.filter.commit(&written::closing(name, tables, &stale, lasting))
    }

    fn open(&mut self, name: &str) -> Result<(), HostError> {
        let there = self.there(name)?;
        if there.is_empty() { Ok(()) } else { self.filter.commit(&written::opening(name, &there)) }
    }

    fn tables(&mut self) -> Result<Vec<(Family, Text)>, HostError> {
        let all = [Family::Inet, Family::Arp, Family::Netdev, Family::Bridge];
        let family = |theirs| all.into_iter().find(|family| written::family(*family) == theirs);
        let tables = self.filter.tables()?;
        Ok(tables
            .into_iter()
            .filter_map(|seen| Some((family(seen.table.family)?, seen.table.name)))
            .collect())
    }

    fn told(&mut self) -> Vec<Told> {
        let own = self.filter.port();
        let Ok(events) = self.events.drain() else { return vec![Told::Lost] };
        let told = events.into_iter().filter_map(|event| match event.news {
            News::Filter(..) => (event.cause != own).then_some(Told::Filter),
            News::Lost => Some(Told::Lost),
            _ => Some(Told::Network),
        });
        told.collect::<std::collections::BTreeSet<Told>>().into_iter().collect()
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.events.descriptor()]
    }

    fn programs(&mut self) -> Result<Vec<Attached>, HostError> {
        Ok(Vec::new())
    }

    fn detach(&mut self, _: &Attached) -> Result<(), HostError> {
        Err(HostError::new("bpf", "", Cause::Unsupported))
    }

    fn attach_again(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn connected(&mut self) -> Result<Vec<Connected>, HostError> {
        Ok(Vec::new())
    }

    fn end(&mut self, _: &Connected) -> Result<(), HostError> {
        Err(HostError::new("sock_diag", "", Cause::Unsupported))
    }

    fn forget_tracked(&mut self) -> Result<(), HostError> {
        Ok(())
    }

    fn saved(&mut self) -> Result<Value, HostError> {
        Err(HostError::new("netlink", "", Cause::Unsupported))
    }

    fn down(&mut self, _: &[u32]) -> Result<(), HostError> {
        Err(HostError::new("netlink", "", Cause::Unsupported))
    }

    fn restore(&mut self, _: &Value) -> Result<Vec<String>, HostError> {
        Err(HostError::new("netlink", "", Cause::Unsupported))
    }
}
