//! What a witness says of a stretch of time.

use super::Counts;
use super::suspect::read_mac;
use calma_record::{Text, Timestamp};
use std::fmt;

/// How much a witness hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hears {
    /// Every frame on its interface.
    Everything,
    /// What is sent to its port over UDP and TCP. It is blind for everything else.
    Port,
}

/// The state of the witness's own wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Plugged in the whole time.
    Up,
    /// Unplugged at least for a moment.
    Unplugged,
    /// The interface was taken down, or is gone.
    Down,
    /// Nobody could say.
    Unknown,
}

/// The names of both in records.
const HEARS: [(Hears, &str); 2] = [(Hears::Everything, "everything"), (Hears::Port, "port")];
const WIRES: [(Wire, &str); 4] =
    [(Wire::Up, "up"), (Wire::Unplugged, "unplugged"), (Wire::Down, "down"), (Wire::Unknown, "unknown")];

impl Hears {
    pub(super) fn from_name(name: &str) -> Self {
        HEARS.iter().find(|(_, own)| *own == name).map_or(Self::Port, |(hears, _)| *hears)
    }
}

impl Wire {
    pub(super) fn from_name(name: &str) -> Self {
        WIRES.iter().find(|(_, own)| *own == name).map_or(Self::Unknown, |(wire, _)| *wire)
    }
}

impl fmt::Display for Hears {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(HEARS.iter().find(|(hears, _)| hears == self).map_or("", |(_, name)| name))
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(WIRES.iter().find(|(wire, _)| wire == self).map_or("", |(_, name)| name))
    }
}

/// A stretch of time. One begins where the one before it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Its number, from 0, without holes.
    pub number: u64,
    /// Its begin, by the witness's clock.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// The interface.
    pub interface: Text,
    /// How much was heard.
    pub hears: Hears,
    /// The suspect's hardware addresses and addresses; empty where everything counts.
    pub suspect: Vec<String>,
    /// What was counted.
    pub counts: Counts,
    /// Frames that came and were lost before the witness could count them: in its queue, in the kernel's, or in the device.
    /// With one lost, nothing is proven.
    pub lost: u64,
    /// Frames the interface received in all, whoever sent them: that it hears anything.
    pub received: Option<u64>,
    /// Its own wire.
    pub wire: Wire,
    /// Whether the witness's own clock was set meanwhile.
    pub stepped: bool,
}

impl Interval {
    /// Why it can not say that the suspect was silent; empty if it can.
    pub fn blind(&self) -> Vec<&'static str> {
        let mut why = Vec::new();
        if self.hears == Hears::Port {
            why.push("the witness hears one port alone");
        }
        if self.lost > 0 {
            why.push("frames were lost before the witness could count them");
        }
        if !self.suspect.is_empty() && self.suspect.iter().all(|name| read_mac(name).is_none()) {
            why.push(
                "the suspect's hardware address is not known here, so that a false source is not counted",
            );
        }
        if self.stepped {
            why.push("the witness's own clock was set");
        }
        match self.wire {
            Wire::Up => {}
            Wire::Unplugged => why.push("the witness's own wire was unplugged"),
            Wire::Down => why.push("the witness's own interface was down"),
            Wire::Unknown => why.push("whether the witness's own wire was plugged in is not known"),
        }
        why
    }
}
