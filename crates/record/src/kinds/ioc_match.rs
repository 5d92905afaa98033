//! Kind: a fact that a list of signs names.

use crate::{Text, kind::kind};

kind! {
    /// A sign of a list the user gave (an indicator of compromise) that a fact of the host agrees with; found by the keeper.
    IocMatch = "ioc-match" {
        /// What the sign is: "SHA-256", "address", "domain" …
        1 sort: String as Plain,
        /// The sign as the list has it.
        2 sign: String as Plain,
        /// The list.
        3 list: Text as Plain,
        /// Its line.
        4 line: u64 as Plain,
        /// How bad it is in the list's own word; empty if it does not say.
        5 severity: String as Plain,
        /// What the list says of it.
        6 note: String as Plain,
        /// The kind of the fact.
        7 kind: String as Plain,
        /// The column of the fact.
        8 column: String as Plain,
        /// The file it is about, if one.
        9 path: Text as Path,
        /// The process it is about; 0 if none.
        10 pid: u32 as Pid,
    }
}
