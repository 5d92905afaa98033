//! Lists of signs (indicators of compromise) that the user gave, and which facts agree with them.
//!
//! All of it is the keeper's: no list ever goes to a host, and an old case can be compared with a new list.

mod compare;
mod load;
mod store;

pub(crate) use compare::Matches;
pub use load::{SignsError, read_signs};
pub use store::Signs;
