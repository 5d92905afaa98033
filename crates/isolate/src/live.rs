//! The world of the machine calma runs on.

mod written;

use crate::rules::{Family, Table};
use crate::survey::{Place, Survey, survey};
use crate::world::{Attached, Connected, Door, Told, World};
use calma_collect::{Context, Options};
use calma_host::wires::Filter;
use calma_host::{Cause, Host, HostError, Live, Namespace, standing};
use calma_record::Text;
use serde_json::Value;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// This machine.
pub struct LiveWorld {
    host: Arc<Live>,
    egress: bool,
}

impl LiveWorld {
    /// This machine; what its kernel can is tried at once, in its own namespace, without leaving anything.
    pub fn new(host: Arc<Live>) -> Self {
        let egress = Filter::open(&Namespace::Own).is_ok_and(|mut filter| can_hook_egress(&mut filter));
        Self { host, egress }
    }
}

/// Whether a chain at the way out of a device can be made: tried on the loopback device in a table that is owned, and so gone
/// with the socket whatever happens, and accepts everything because it is not kept.
fn can_hook_egress(filter: &mut Filter) -> bool {
    use calma_host::wires::nft::{Batch, NftFamily, NftHook, OWNED};
    let hook = NftHook { number: 1, priority: i32::MAX, device: Some(b"lo".to_vec()) };
    let mut batch = Batch::new();
    let name = format!("calma-probe-{}", std::process::id());
    let name = name.as_bytes();
    batch
        .table(NftFamily::Netdev, name, OWNED)
        .chain(NftFamily::Netdev, name, b"egress", &hook)
        .delete_table(NftFamily::Netdev, name);
    filter.commit(&batch).is_ok()
}

impl World for LiveWorld {
    fn survey(&self) -> Survey {
        let host: Arc<dyn Host> = Arc::clone(&self.host) as Arc<dyn Host>;
        survey(&Context::new(host, Options::default()))
    }

    fn door(&self, place: &Place) -> Result<Box<dyn Door>, HostError> {
        let filter = match Filter::open(&place.namespace) {
            Err(error) if error.is_missing() => {
                // The process by which it was found has ended; another one may still be in it.
                let others = place.pids.iter().map(|pid| Namespace::At(format!("/proc/{pid}/ns/net").into()));
                others.filter_map(|other| Filter::open(&other).ok()).next().ok_or(error)?
            }
            other => other?,
        };
        Ok(Box::new(LiveDoor { filter }))
    }

    fn egress(&self) -> bool {
        self.egress
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
    filter: Filter,
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
        let family = |number| all.into_iter().find(|family| written::family(*family) == number);
        let tables = self.filter.tables()?;
        Ok(tables.into_iter().filter_map(|(number, name)| Some((family(number)?, name))).collect())
    }

    fn told(&mut self) -> Vec<Told> {
        let news = self.filter.news();
        let all = [(news.filter, Told::Filter), (news.network, Told::Network), (news.lost, Told::Lost)];
        all.into_iter().filter(|(is, _)| *is).map(|(_, told)| told).collect()
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.filter.descriptors().to_vec()
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
