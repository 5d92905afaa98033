//! Looking through the wires of the machine calma runs on.

use super::super::{
    Abilities, Attached, Connection, Connections as _, Filter as _, Glance, Links as _, Programs as _, Radio,
    SavedNetwork, SeenTable, abilities,
};
use super::{connections, filter, links, programs, radios};
use crate::{HostError, Namespace};

/// Looks through the wires of the machine calma runs on.
#[derive(Debug, Default)]
pub struct LiveGlance {}

impl LiveGlance {
    /// Whoever may look.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Glance for LiveGlance {
    fn abilities(&self, namespace: &Namespace) -> Result<Abilities, HostError> {
        let mut filter = match filter::LiveFilter::open(namespace) {
            // A kernel without netfilter.
            Err(error) if error.call != "setns" && error.is_unsupported() => return Ok(Abilities::default()),
            other => other?,
        };
        let (batch, tries) = abilities::trial();
        let failed = filter.failures(&batch).map_err(|failure| failure.about("try", "packet filter"))?;
        // The batch as a whole is refused by a kernel without nf_tables, and to whoever has no right.
        match failed.iter().find(|(place, _)| place.is_none()) {
            Some((_, failure)) if failure.errno == rustix::io::Errno::PERM => {
                Err(failure.about("try", "packet filter"))
            }
            Some(_) => Ok(Abilities::default()),
            None => Ok(Abilities::of(&tries, |at| failed.iter().any(|(place, _)| *place == Some(at)))),
        }
    }

    fn tables(&self, namespace: &Namespace) -> Result<Vec<SeenTable>, HostError> {
        filter::LiveFilter::open(namespace)?.tables()
    }

    fn network(&self, namespace: &Namespace) -> Result<SavedNetwork, HostError> {
        links::LiveLinks::open(namespace)?.save()
    }

    fn programs(&self, namespace: &Namespace) -> Result<Vec<Attached>, HostError> {
        programs::LivePrograms::open(namespace)?.list()
    }

    fn connections(&self, namespace: &Namespace) -> Result<Vec<Connection>, HostError> {
        connections::LiveConnections::open(namespace)?.list()
    }

    fn radios(&self) -> Result<Vec<Radio>, HostError> {
        radios::list()
    }
}
