//! Kind: a setting of a container engine.

use crate::{Text, kind::kind};

kind! {
    /// A setting of a container engine that says who may command it and what it runs.
    ContainerSetting = "container-setting" {
        /// The file it stands in.
        1 path: Text as Path,
        /// `host` (where the engine listens), `runtime` (a program that makes containers).
        2 name: String as Plain,
        /// Its value.
        3 value: Text as Plain,
        /// Whether whoever connects has to show a certificate.
        4 verified: bool as Plain,
    }
}
