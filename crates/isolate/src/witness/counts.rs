//! What was counted.

use super::class::{Class, Part, class};
use crate::Kept;
use crate::beat::Pulse;
use crate::canary::{CanaryKind, Mark, nonce_of_name};
use calma_formats::ethernet::{Carries, Frame};
use calma_record::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Most canaries, openings and destinations kept one by one; more are counted.
const MOST: usize = 512;

/// Frames and their bytes on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many frames.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A canary that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The number nobody can guess.
    pub nonce: [u8; 16],
    /// The class of the frame it came in.
    pub class: Class,
    /// When, by the witness's clock.
    pub at: Timestamp,
}

/// The opening of a connection, which has no room for a canary's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Where to.
    pub to: IpAddr,
    /// The suspect's port.
    pub from_port: u16,
    /// The port it goes to.
    pub to_port: u16,
}

/// Where something went that ought not to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// Class.
    pub class: Class,
    /// Destination, where the frame has one.
    pub to: Option<IpAddr>,
    /// Port of the destination; 0 where there is none.
    pub port: u16,
}

/// What was counted in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames by class. Each frame has one.
    pub by: BTreeMap<Class, Tally>,
    /// Those to a group or to everybody.
    pub multicast: u64,
    /// Those with a part of a larger packet.
    pub fragments: u64,
    /// Those with VLAN tags.
    pub tagged: u64,
    /// Canaries that arrived; the first of each number.
    pub canaries: Vec<Heard>,
    /// Connections that were opened.
    pub openings: Vec<Opening>,
    /// Where leaks went.
    pub flows: BTreeMap<Flow, u64>,
    /// Signs of life of the guard, with the right code.
    pub beats: u64,
    /// Canaries, openings and destinations beyond those kept one by one.
    pub more: u64,
    /// The least nanoseconds from the sender's clock to the witness's that a canary took: no more than that is the
    /// witness's clock ahead.
    pub ahead: Option<i64>,
}

impl Counts {
    /// Counts one frame of the suspect.
    pub(crate) fn add(
        &mut self,
        frame: &Frame<'_>,
        length: usize,
        tagged: bool,
        at: Timestamp,
        kept: &[Kept],
        pulse: &Pulse,
    ) {
        let class = match &frame.carries {
            Carries::Ip(packet) if packet.protocol == 17 && pulse.is_beat(packet.payload) => Class::Beat,
            _ => class(frame, kept),
        };
        let tally = self.by.entry(class).or_default();
        tally.frames += 1;
        tally.bytes += length as u64;
        self.multicast += u64::from(frame.destination.first().is_some_and(|first| first & 1 != 0));
        self.tagged += u64::from(tagged || frame.tagged);
        let (to, port, bytes) = match &frame.carries {
            Carries::Ip(packet) => {
                self.fragments += u64::from(packet.fragment);
                if let (6, Some((from_port, to_port))) = (packet.protocol, packet.ports)
                    && packet.flags & 0x12 == 0x02
                {
                    self.opened(Opening { to: packet.destination, from_port, to_port });
                }
                let port = packet.ports.map_or(0, |(_, to)| to);
                (Some(packet.destination), port, packet.payload)
            }
            Carries::Arp(arp) => (Some(arp.target_address), 0, arp.rest),
            Carries::Other(bytes) => (None, 0, *bytes),
        };
        if class.part() == Part::Leak {
            self.flowed(Flow { class, to, port });
        }
        self.carried(bytes, class, at);
    }

    /// Takes what a listening port heard: `class` says how it came.
    pub fn carried(&mut self, bytes: &[u8], class: Class, at: Timestamp) {
        if let Some(mark) = Mark::find(bytes) {
            let took = at.nanoseconds().saturating_sub(mark.sent.nanoseconds());
            match mark.kind() {
                // One without the right code is a sign of nothing.
                Some(CanaryKind::Beat) => self.beats += u64::from(class == Class::Beat),
                _ => self.heard(Heard { nonce: mark.nonce, class, at }),
            }
            self.ahead = Some(self.ahead.map_or(took, |least| least.min(took)));
        } else if let Some(nonce) = nonce_of_name(bytes) {
            self.heard(Heard { nonce, class, at });
        }
    }

    fn heard(&mut self, heard: Heard) {
        if self.canaries.iter().any(|known| known.nonce == heard.nonce) {
            return;
        }
        if self.canaries.len() < MOST { self.canaries.push(heard) } else { self.more += 1 }
    }

    pub(super) fn opened(&mut self, opening: Opening) {
        if self.openings.contains(&opening) {
            return;
        }
        if self.openings.len() < MOST { self.openings.push(opening) } else { self.more += 1 }
    }

    fn flowed(&mut self, flow: Flow) {
        if self.flows.len() < MOST || self.flows.contains_key(&flow) {
            *self.flows.entry(flow).or_default() += 1;
        } else {
            self.more += 1;
        }
    }

    /// Adds another stretch's counts.
    pub fn merge(&mut self, other: &Self) {
        for (class, tally) in &other.by {
            let own = self.by.entry(*class).or_default();
            own.frames += tally.frames;
            own.bytes += tally.bytes;
        }
        self.multicast += other.multicast;
        self.fragments += other.fragments;
        self.tagged += other.tagged;
        self.beats += other.beats;
        self.more += other.more;
        other.canaries.iter().for_each(|heard| self.heard(*heard));
        other.openings.iter().for_each(|opening| self.opened(*opening));
        for (flow, count) in &other.flows {
            if self.flows.len() < MOST || self.flows.contains_key(flow) {
                *self.flows.entry(*flow).or_default() += count;
            } else {
                self.more += count;
            }
        }
        self.ahead = self.ahead.into_iter().chain(other.ahead).min();
    }

    /// Frames of this part.
    pub fn of(&self, part: Part) -> u64 {
        self.by.iter().filter(|(class, _)| class.part() == part).map(|(_, tally)| tally.frames).sum()
    }

    /// Frames of this class.
    pub fn frames(&self, class: Class) -> u64 {
        self.by.get(&class).map_or(0, |tally| tally.frames)
    }

    /// Every frame.
    pub fn total(&self) -> u64 {
        self.by.values().map(|tally| tally.frames).sum()
    }

    /// Whether this canary arrived: by its number, or for a connection by the port it came from.
    pub fn has(&self, sent: &crate::canary::Sent) -> bool {
        self.canaries.iter().any(|heard| heard.nonce == sent.nonce)
            || (sent.kind.is_stream()
                && sent.from.is_some_and(|from| self.openings.iter().any(|one| one.from_port == from)))
    }
}
