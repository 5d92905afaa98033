//! The packet filter of a namespace, by a socket that stays open.

use super::super::nft::{Batch, SUBSYSTEM, Table, kind};
use super::super::seen::{self, Contents, Count, SeenTable};
use super::Filter;
use super::channel::{Channel, Failure};
use crate::netlink::{Attributes, NLMSG_ERROR, attributes_after, messages};
use crate::{HostError, Namespace, Protocol};
use calma_record::Text;
use rustix::io::Errno;
use std::collections::BTreeMap;

/// The packet filter of a namespace.
#[derive(Debug)]
pub(super) struct LiveFilter {
    channel: Channel,
}

/// What failed: the change's place in the batch, or `None` for the batch as a whole.
pub(super) type Failed = (Option<usize>, Failure);

impl LiveFilter {
    pub(super) fn open(namespace: &Namespace) -> Result<Self, HostError> {
        Ok(Self { channel: Channel::open(namespace, Protocol::NETFILTER)? })
    }

    /// Sends a batch and tells all that failed; empty if it was carried out.
    ///
    /// The kernel does it before the call that sends it returns, and reports every failing message.
    pub(super) fn failures(&mut self, batch: &Batch) -> Result<Vec<Failed>, Failure> {
        let count = batch.len();
        let first = self.channel.number(count.saturating_add(1));
        self.channel.send(&batch.bytes(first))?;
        let (mut failed, mut done) = (Vec::new(), false);
        let mut buffer = vec![0; 32 << 10];
        while let Some(length) = self.channel.receive(&mut buffer, false)? {
            for message in messages(buffer.get(..length).unwrap_or_default()) {
                let message = message.map_err(|_| Errno::BADMSG)?;
                let Ok(place) = usize::try_from(message.sequence.wrapping_sub(first)) else { continue };
                if message.kind != NLMSG_ERROR || place > count.saturating_add(1) {
                    continue;
                }
                let status = message.status();
                if status.errno == 0 {
                    done |= place == count;
                } else {
                    failed.push((place.checked_sub(1).filter(|at| *at < count), status.into()));
                }
            }
        }
        // Neither refused nor acknowledged: nothing is known.
        if failed.is_empty() && !done { Err(Errno::BADMSG.into()) } else { Ok(failed) }
    }

    fn dump(&mut self, kind: u8, table: Option<&Table>, set: Option<&[u8]>) -> Result<Vec<u8>, HostError> {
        let family = table.map_or(0, |table| table.family.number());
        let mut body = Attributes::after(&[family, 0, 0, 0]);
        if let Some(table) = table {
            body = body.text(1, table.name.as_bytes());
        }
        if let Some(set) = set {
            body = body.text(2, set);
        }
        match self.channel.dump(SUBSYSTEM << 8 | u16::from(kind), body.as_bytes()) {
            // The table or set is gone.
            Err(failure) if failure.errno == Errno::NOENT => Ok(Vec::new()),
            other => other.map_err(|failure| failure.about("read", "packet filter")),
        }
    }
}

impl Filter for LiveFilter {
    fn commit(&mut self, batch: &Batch) -> Result<(), HostError> {
        if batch.is_empty() {
            return Ok(());
        }
        let whole = |failure: Failure| failure.about("change", "packet filter");
        match self.failures(batch).map_err(whole)?.first() {
            None => Ok(()),
            Some((place, failure)) => {
                let change = place.and_then(|at| batch.change(at));
                Err(failure.about("change", change.map_or("packet filter", |change| change.what.as_str())))
            }
        }
    }

    fn port(&self) -> u32 {
        self.channel.port()
    }

    fn generation(&mut self) -> Result<u32, HostError> {
        let kind = SUBSYSTEM << 8 | u16::from(kind::GET_GENERATION);
        let failed = |failure: Failure| failure.about("read", "generation of the packet filter");
        let body = self.channel.ask(kind, &[0; 4]).map_err(failed)?;
        let number = attributes_after(&body, 4).find(|(kind, _)| *kind == 1);
        let number = number.and_then(|(_, value)| value.first_chunk::<4>());
        number.map(|bytes| u32::from_be_bytes(*bytes)).ok_or_else(|| failed(Errno::BADMSG.into()))
    }

    fn tables(&mut self) -> Result<Vec<SeenTable>, HostError> {
        Ok(seen::tables(&self.dump(kind::GET_TABLE, None, None)?))
    }

    fn counters(&mut self, table: &Table) -> Result<BTreeMap<Text, Count>, HostError> {
        Ok(seen::counters(&self.dump(kind::GET_RULE, Some(table), None)?, table))
    }

    fn contents(&mut self, table: &Table) -> Result<Contents, HostError> {
        let mut all = Vec::new();
        seen::lasting(&self.dump(kind::GET_CHAIN, None, None)?, table, &mut all);
        seen::lasting(&self.dump(kind::GET_RULE, Some(table), None)?, table, &mut all);
        let sets = self.dump(kind::GET_SET, Some(table), None)?;
        seen::lasting(&sets, table, &mut all);
        for set in seen::sets(&sets, table) {
            const GET_ELEMENTS: u8 = 13;
            seen::lasting(&self.dump(GET_ELEMENTS, Some(table), Some(set))?, table, &mut all);
        }
        Ok(Contents(all))
    }
}
