//! Kind: the system as a whole.

use crate::{Text, Timestamp, kind::kind};

kind! {
    /// What kind of system this is, as it says itself.
    System = "system" {
        /// Distribution (os-release(5), `ID`).
        1 id: Text as Plain,
        /// Distributions it is built like (`ID_LIKE`).
        2 like: Text as Plain,
        /// Version (`VERSION_ID`).
        3 version: Text as Plain,
        /// Name for people (`PRETTY_NAME`).
        4 name: Text as Plain,
        /// Package databases that are there: `dpkg`, `rpm`, `apk`, `pacman`, `portage`, `nix`, …
        5 packages: Vec<String> as Plain,
        /// Program of process 1 as it names itself; empty for a tree that is not running.
        6 init: Text as Plain,
        /// Container it is itself: `docker`, `podman`, `kubernetes`, `lxc`, `systemd-nspawn`, `other`; empty if none.
        7 container: String as Plain,
        /// Virtual machine it runs in, as the firmware names it; empty if none is named.
        8 machine: Text as Plain,
        /// Kind of image-based or otherwise unusual system; empty for an ordinary one.
        9 unusual: String as Plain,
        /// Whether calma understands how this kind of system is put together.
        10 understood: bool as Plain,
        /// Kernel release.
        11 kernel: Text as Plain,
        /// When it was booted, by its own clock.
        12 booted: Option<Timestamp> as Time,
        /// The host's clock when calma asked.
        13 clock: Timestamp as Time,
        /// Whether calma itself sees every process: its pid namespace is the machine's first.
        14 whole: bool as Plain,
    }
}
