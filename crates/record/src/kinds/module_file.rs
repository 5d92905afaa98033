//! Kind: the file of a kernel module that no package owns.

use crate::{Digest, Text, Timestamp, kind::kind};

kind! {
    /// The file of a kernel module below /lib/modules that no package owns.
    ModuleFile = "module-file" {
        /// Its path.
        1 path: Text as Path,
        /// The kernel's release it stands under.
        2 release: Text as Plain,
        /// The module's name, with underscores.
        3 name: Text as Plain,
        /// Whether modules of the same release belong to packages, so that this one stands out.
        4 others_packaged: bool as Plain,
        /// Whether the module builder (dkms(8)) has built a module of this name.
        5 built: bool as Plain,
        /// Where a packaged or built source of it explains it, in plain words; empty if nothing does.
        6 explained: String as Plain,
        /// Whether a signature is appended; `None` if the file is compressed or could not be read.
        7 signed: Option<bool> as Plain,
        /// SHA-256 of the file.
        8 digest: Option<Digest> as Digest,
        /// Last change of content.
        9 modified: Timestamp as Time,
        /// Owner's user id.
        10 uid: u32 as Plain,
        /// Permission bits.
        11 mode: u32 as Plain,
        /// Whether the directory holds a whole kernel's modules: what `make modules_install` leaves stands beside, or many
        /// modules do.
        12 whole_kernel: bool as Plain,
    }
}
