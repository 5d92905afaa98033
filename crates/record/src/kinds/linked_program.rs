//! Kind: a program or dynamic loader, and what it loads.

use crate::{Text, kind::kind};

kind! {
    /// A program that matters, or a dynamic loader, where its headers ask for more than libraries from the usual places.
    LinkedProgram = "linked-program" {
        /// Its path.
        1 path: Text as Path,
        /// `program`, `loader`, or `library`: one that programs of a login need and no package owns.
        2 what: String as Plain,
        /// The dynamic loader a program is started by.
        3 interpreter: Option<Text> as Path,
        /// Directories it takes libraries from (`DT_RPATH`, `DT_RUNPATH`), as written.
        4 directories: Vec<Text> as Path,
        /// The same with `$ORIGIN` resolved.
        5 resolved: Vec<Text> as Path,
        /// Libraries that may redirect its calls (`DT_AUDIT`, `DT_DEPAUDIT`), as written.
        6 audit: Vec<Text> as Path,
        /// Why it was looked at: `set-id`, `running`, `login`, `foreign` (no package owns it).
        7 because: String as Plain,
        /// Absolute paths a loader names: where it looks for settings. Of a library: who needs it, and as what it is found.
        8 names: Vec<Text> as Path,
        /// Package that the host's own package list says it belongs to; forgeable by root.
        9 package: Option<Text> as Plain,
        /// Whether the host has a package list, so that no `package` means no owner.
        10 packages_known: bool as Plain,
    }
}
