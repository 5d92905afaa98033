//! Kind: what a witness heard of a suspect host in a stretch of time.

use crate::{Text, Timestamp, kind::kind};

kind! {
    /// What a witness on another machine heard of a suspect host in a stretch of time.
    WitnessInterval = "witness-interval" {
        /// Its number, from 0, without holes.
        1 number: u64 as Plain,
        /// Begin, by the witness's clock.
        2 from: Timestamp as Time,
        /// End, by the witness's clock.
        3 to: Timestamp as Time,
        /// The witness's interface.
        4 interface: Text as Plain,
        /// `everything`, or `port` where it hears what is sent to its port alone.
        5 hears: String as Plain,
        /// The suspect's hardware addresses and addresses; empty where every frame that came in counts.
        6 suspect: Vec<String> as Address,
        /// Frames of the suspect by class: class, frames, bytes.
        7 counted: Vec<String> as Plain,
        /// Frames that were lost before the witness could count them; with one, nothing is proven.
        8 lost: u64 as Plain,
        /// Frames the witness's interface received in all, whoever sent them.
        9 received: Option<u64> as Plain,
        /// The witness's own wire: `up`, `unplugged` at least for a moment, `down`, or `unknown`.
        10 wire: String as Plain,
        /// Whether the witness's own clock was set meanwhile.
        11 clock_set: bool as Plain,
        /// Frames to a group or to everybody.
        12 multicast: u64 as Plain,
        /// Frames with a part of a larger packet.
        13 fragments: u64 as Plain,
        /// Frames with VLAN tags.
        14 tagged: u64 as Plain,
        /// Canaries that arrived: number, class, nanoseconds since 1970 by the witness's clock.
        15 canaries: Vec<String> as Plain,
        /// Connections that were opened: address, the suspect's port, the other port.
        16 openings: Vec<String> as Address,
        /// Where something went that ought not to: address, port, class, frames.
        17 flows: Vec<String> as Address,
        /// Signs of life of the watchdog.
        18 beats: u64 as Plain,
        /// Canaries, openings and destinations that are not kept one by one.
        19 more: u64 as Plain,
        /// Nanoseconds that the witness's clock is at most ahead of the suspect's.
        20 ahead: Option<i64> as Plain,
    }
}
