//! Another machine that counts everything that comes from the suspect.
//!
//! A host can not prove that it is silent: whoever holds its kernel answers for it. A witness hears the wire. It counts
//! each frame whose sender is the suspect, by hardware address as well as by IP address, so that a false source counts
//! too; it counts what it lost, notices when its own wire was unplugged, and then says *not proven* rather than *silent*.
//! It never blocks, and sends nothing but the answer to a canary.
//!
//! [`Witness`] hears, [`Interval`] is what it says of a stretch of time, [`proof`] weighs intervals.

mod class;
mod counts;
mod filter;
mod interval;
mod listen;
mod place;
pub mod proof;
mod row;
mod silence;
mod suspect;
mod work;

pub use class::{Class, Part};
pub use counts::{Counts, Flow, Heard, Opening, Tally};
pub use interval::{Hears, Interval, Wire};
pub use place::{Place, PlaceError, place};
pub use row::{from_row, row};
pub use silence::{Hush, Silence};
pub use suspect::Suspect;
pub use work::{Options, Witness, WitnessError};
