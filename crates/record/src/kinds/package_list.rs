//! Kind: a package list of the host.

use crate::{Text, kind::kind};

kind! {
    /// A package manager's own list on the host: what `package` columns stand on. Forgeable by root.
    PackageList = "package-list" {
        /// The manager: `dpkg`, `apk`, `pacman`, `rpm`.
        1 manager: Text as Plain,
        /// How many packages it names.
        2 packages: u64 as Plain,
        /// How many paths it names.
        3 paths: u64 as Plain,
        /// Whether calma could read all of it.
        4 read: bool as Plain,
    }
}
