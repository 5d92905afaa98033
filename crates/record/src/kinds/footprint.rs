//! Kind: what calma itself left or did on the examined host.

use crate::{Text, kind::kind};

kind! {
    /// Something calma itself left or caused on the examined host.
    Footprint = "footprint" {
        /// What it is, in plain words: "access time not kept".
        1 what: String as Plain,
        /// One place of it.
        2 place: Text as Path,
        /// How often.
        3 count: u64 as Plain,
        /// The process id of calma it concerns, 0 if none.
        4 pid: u32 as Pid,
    }
}
