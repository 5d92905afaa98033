//! The world of the machine calma runs on.

mod written;

use crate::rules::{Family, Table};
use crate::survey::{Place, Survey, survey};
use crate::world::{Attached, Connected, Door, Told, World};
use calma_collect::{Context, Options};
use calma_host::ground::{self, GroupProgram};
use calma_host::wires::{
    self, Abilities, Connection, Connections, Disarmed, Events, Filter, Glance, Links, LiveGlance, LiveWires,
    News, Programs, SavedNetwork, Wires,
};
use calma_host::{Cause, Host, HostError, Live, Namespace, standing};
use calma_record::{Digest, Text, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// This machine.
pub struct LiveWorld {
    host: Arc<Live>,
    wires: Arc<LiveWires>,
    abilities: Abilities,
}

impl LiveWorld {
    /// This machine, to be changed; what its kernel can is tried at once, without leaving anything.
    pub fn new(host: Arc<Live>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the guard holds what a promised intent began")]
        let wires = Arc::new(LiveWires::take());
        let abilities = LiveGlance::new().abilities(&Namespace::Own).unwrap_or_default();
        Self { host, wires, abilities }
    }

    /// The door to a namespace.
    fn at(&self, place: &Place, namespace: &Namespace) -> Result<LiveDoor, HostError> {
        // News first: what changes in between is heard.
        let events = self.wires.events(namespace)?;
        Ok(LiveDoor {
            events,
            filter: self.wires.filter(namespace)?,
            wires: Arc::clone(&self.wires),
            namespace: namespace.clone(),
            rest: None,
            seen: Vec::new(),
            disarmed: Vec::new(),
            listed: Vec::new(),
            names: place.devices.iter().map(|one| (one.link.index, one.link.name.clone())).collect(),
        })
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
            match self.at(place, &namespace) {
                Ok(door) => return Ok(Box::new(door)),
                Err(error) if error.is_missing() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn egress(&self) -> bool {
        self.abilities.egress
    }

    fn owner(&self) -> bool {
        self.abilities.owner
    }

    fn forget_tracked(&self, place: &Place) -> Result<(), HostError> {
        self.wires.forget_connections(&place.namespace)
    }

    fn radios_off(&self) -> Result<Option<Value>, HostError> {
        let on: Vec<wires::Radio> =
            LiveGlance::new().radios()?.into_iter().filter(|radio| !radio.blocked).collect();
        on.iter().try_for_each(|radio| self.wires.block_radio(radio, true))?;
        let numbers: Vec<u32> = on.iter().map(|radio| radio.index).collect();
        Ok(Some(numbers).filter(|numbers| !numbers.is_empty()).map(|numbers| serde_json::json!(numbers)))
    }

    fn radios_on(&self, were: &Value) -> Result<(), HostError> {
        let numbers: Vec<u32> = serde_json::from_value(were.clone()).unwrap_or_default();
        let radios = LiveGlance::new().radios()?;
        // One that was plugged out meanwhile needs nothing.
        let these = radios.iter().filter(|radio| numbers.contains(&radio.index));
        these.into_iter().try_for_each(|radio| self.wires.block_radio(radio, false))
    }

    fn group_programs(&self) -> Vec<GroupProgram> {
        ground::group_programs().unwrap_or_default()
    }

    fn clock(&self) -> Timestamp {
        self.host.clock().now()
    }

    fn now(&self) -> u64 {
        u64::try_from(standing::since_boot().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The door to one namespace of this machine.
struct LiveDoor {
    events: Box<dyn Events>,
    filter: Box<dyn Filter>,
    wires: Arc<LiveWires>,
    namespace: Namespace,
    /// What closing does not need: opened when it is.
    rest: Option<Rest>,
    /// Programs as they were last listed, each with its name for others.
    seen: Vec<(Attached, wires::Attached)>,
    /// Those that were put out of action.
    disarmed: Vec<Disarmed>,
    /// Connections as they were last listed.
    listed: Vec<Connection>,
    /// Names of devices.
    names: BTreeMap<u32, Text>,
}

/// What is beyond the packet filter.
struct Rest {
    links: Box<dyn Links>,
    connections: Box<dyn Connections>,
    programs: Box<dyn Programs>,
}

impl LiveDoor {
    fn rest(&mut self) -> Result<&mut Rest, HostError> {
        let rest = match self.rest.take() {
            Some(rest) => rest,
            None => Rest {
                links: self.wires.links(&self.namespace)?,
                connections: self.wires.connections(&self.namespace)?,
                programs: self.wires.programs(&self.namespace)?,
            },
        };
        Ok(self.rest.insert(rest))
    }

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

    fn print(&mut self, name: &str) -> Result<Digest, HostError> {
        let mut all = String::new();
        let families = self.there(name)?;
        let ours = |seen: &&wires::SeenTable| {
            seen.table.name == *name
                && families.iter().any(|family| written::family(*family) == seen.table.family)
        };
        for seen in self.filter.tables()?.iter().filter(ours) {
            // Its flags too: a table can be put to sleep.
            let contents = self.filter.contents(&seen.table)?;
            all.push_str(&format!("{:?} {:?} {contents:?}", seen.table, seen.flags));
        }
        Ok(Digest::of(all.as_bytes()))
    }

    fn told(&mut self) -> Vec<Told> {
        let own = self.filter.port();
        let Ok(events) = self.events.drain() else { return vec![Told::Lost] };
        let told = events.into_iter().map(|event| match event.news {
            News::Filter(..) if event.cause == own => Told::Own,
            News::Filter(..) => Told::Filter,
            News::Lost => Told::Lost,
            _ => Told::Network,
        });
        told.collect::<std::collections::BTreeSet<Told>>().into_iter().collect()
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.events.descriptor()]
    }

    fn programs(&mut self) -> Result<Vec<Attached>, HostError> {
        let listed = self.rest()?.programs.list()?;
        let named = |program: wires::Attached| {
            let name = self
                .names
                .get(&program.device)
                .cloned()
                .unwrap_or_else(|| Text::from(format!("interface {}", program.device).as_str()));
            let hook = match &program.place {
                wires::Place::Xdp(_) => "XDP",
                wires::Place::Tcx { ingress: true } => "tcx, in",
                wires::Place::Tcx { ingress: false } => "tcx, out",
                wires::Place::Netkit { .. } => "netkit",
                wires::Place::Filter(_) => "traffic control",
            };
            (
                Attached { device: program.device, name, hook: hook.to_owned(), program: program.program },
                program,
            )
        };
        let stands_in = |program: &wires::Attached| {
            self.disarmed
                .iter()
                .any(|one| one.was.device == program.device && one.stands_in == program.program)
        };
        self.seen = listed.into_iter().filter(|program| !stands_in(program)).map(named).collect();
        Ok(self.seen.iter().map(|(name, _)| name.clone()).collect())
    }

    fn detach(&mut self, program: &Attached) -> Result<(), HostError> {
        let gone = || HostError::new("bpf", program.name.clone(), Cause::Errno(ENOENT));
        let (_, known) = self.seen.iter().find(|(name, _)| name == program).ok_or_else(gone)?;
        let known = known.clone();
        let disarmed = self.rest()?.programs.disarm(&known)?;
        self.disarmed.push(disarmed);
        Ok(())
    }

    fn attach_again(&mut self) -> Vec<String> {
        let mut lacking = Vec::new();
        for one in std::mem::take(&mut self.disarmed) {
            if let Err(error) = self.rest().and_then(|rest| rest.programs.rearm(&one)) {
                lacking.push(format!("{} was not put back: {}", one.was, error.why()));
            }
        }
        lacking
    }

    fn connected(&mut self) -> Result<Vec<Connected>, HostError> {
        self.listed = self.rest()?.connections.list()?;
        self.listed.retain(|one| one.is_connected() && !one.is_loopback());
        Ok(self.listed.iter().map(connected).collect())
    }

    fn end(&mut self, connection: &Connected) -> Result<(), HostError> {
        let gone = || HostError::new("sock_diag", "a connection", Cause::Errno(ENOENT));
        let one = self.listed.iter().find(|one| one.cookie == connection.cookie).ok_or_else(gone)?;
        let one = one.clone();
        if self.rest()?.connections.destroy(&one)? { Ok(()) } else { Err(gone()) }
    }

    fn saved(&mut self) -> Result<Value, HostError> {
        let saved = self.rest()?.links.save()?;
        Ok(serde_json::to_value(Text::from(saved.as_bytes())).unwrap_or_default())
    }

    fn down(&mut self, devices: &[u32]) -> Result<(), HostError> {
        let rest = self.rest()?;
        devices.iter().try_for_each(|device| rest.links.set_up(*device, false))
    }

    fn restore(&mut self, saved: &Value) -> Result<Vec<String>, HostError> {
        let unread = || HostError::new("restore", "the saved network", Cause::Unsupported);
        let bytes: Text = serde_json::from_value(saved.clone()).map_err(|_| unread())?;
        let saved = SavedNetwork::from_bytes(bytes.as_bytes().to_vec())?;
        let mut lacking = self.rest()?.links.restore(&saved)?;
        lacking.extend(self.rest()?.links.compare(&saved)?);
        lacking.sort();
        lacking.dedup();
        Ok(lacking)
    }
}

/// `ENOENT` (errno(3)).
const ENOENT: i32 = 2;

/// A socket as the guard knows it.
fn connected(one: &Connection) -> Connected {
    let protocol = match one.protocol {
        6 => "tcp",
        17 => "udp",
        136 => "udplite",
        _ => "raw",
    };
    Connected {
        protocol: protocol.to_owned(),
        local: (one.local.ip(), one.local.port()),
        remote: (one.remote.ip(), one.remote.port()),
        inode: one.inode.into(),
        cookie: one.cookie,
        interface: one.interface,
    }
}
