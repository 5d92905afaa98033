//! Kind: a file of the service manager.

use crate::{Text, kind::kind};

kind! {
    /// A unit file, a drop-in of one, or a generator of units (systemd.unit(5), systemd.generator(7)).
    Unit = "unit" {
        /// The unit's name: `ssh.service`; a generator's file name.
        1 name: Text as Unit,
        /// The file.
        2 path: Text as Path,
        /// `unit`, `drop-in`, `alias` of another unit, `generator`, `environment-generator`, or `mask` where the unit is switched off.
        3 what: String as Plain,
        /// Commands it runs, as written, with the setting's name: `ExecStart=/usr/sbin/sshd -D`.
        4 commands: Vec<Text> as Secret,
        /// The account of `User=`; none means the manager's own: root, or the owner of the home.
        5 user: Option<Text> as Account,
        /// Whether its commands run with root's rights.
        6 as_root: bool as Plain,
        /// Whether something wants it started: a link in a `.wants` or `.requires` directory, or a home that lingers.
        7 enabled: bool as Plain,
        /// The home whose user manager reads it, for units of one user.
        8 home: Option<Text> as Path,
        /// Settings of the environment, `NAME=value`, and the files they are read from, as written.
        9 environment: Vec<Text> as Secret,
        /// Package that the host's own package list says the file belongs to; forgeable by root.
        10 package: Option<Text> as Plain,
        /// Whether the host has a package list, so that no `package` means no owner.
        11 packages_known: bool as Plain,
        /// A packaged unit of the same name in a directory that is read after this one.
        12 overrides: Option<Text> as Path,
        /// Units it starts: of `Unit=` in timers, paths and sockets.
        13 starts: Vec<Text> as Unit,
        /// `Description=`.
        14 description: Text as Plain,
        /// Owner's user id of the file.
        15 uid: u32 as Plain,
        /// Permission bits of the file.
        16 mode: u32 as Plain,
        /// Where a link leads, as written: an alias, or a unit linked from elsewhere.
        17 target: Option<Text> as Path,
    }
}
