//! Kind: a command that runs at set times.

use crate::{Text, kind::kind};

kind! {
    /// One job of cron, anacron or at, or one file of a directory whose files they run (crontab(5), run-parts(8), at(1)).
    ScheduledJob = "scheduled-job" {
        /// What runs it: `cron`, `anacron`, `at`, `run-parts`.
        1 scheduler: String as Plain,
        /// The file with the job.
        2 path: Text as Path,
        /// Its line, from 1; 0 if the whole file is the job.
        3 line: u32 as Plain,
        /// When it runs, as written: `*/5 * * * *`, `@reboot`, `daily`.
        4 when: Text as Plain,
        /// The command as written; the path if the whole file is run.
        5 command: Text as Secret,
        /// The account it runs as.
        6 user: Text as Account,
        /// Whether it runs with root's rights.
        7 as_root: bool as Plain,
        /// The settings of its environment that stand before it, `NAME=value`.
        8 environment: Vec<Text> as Secret,
        /// Package that the host's own package list says the file belongs to; forgeable by root.
        9 package: Option<Text> as Plain,
        /// Whether the host has a package list, so that no `package` means no owner.
        10 packages_known: bool as Plain,
        /// Owner's user id of the file.
        11 uid: u32 as Plain,
        /// Permission bits of the file.
        12 mode: u32 as Plain,
    }
}
