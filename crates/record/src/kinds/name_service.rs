//! Kind: a module of the name service.

use crate::{Text, kind::kind};

kind! {
    /// A module that every program which looks up a user, group or host loads into itself (nsswitch.conf(5)).
    NameService = "name-service" {
        /// The settings file; empty for a library that stands there and is not asked.
        1 path: Text as Path,
        /// Its line, from 1; 0 if no line asks for it.
        2 line: u32 as Plain,
        /// What is looked up: `passwd`, `group`, `hosts`.
        3 database: Text as Plain,
        /// The service as written.
        4 service: Text as Plain,
        /// The library it is, where one was found.
        5 file: Option<Text> as Path,
    }
}
