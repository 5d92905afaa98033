//! Kind: a setting or state of the running kernel.

use crate::{Text, kind::kind};

kind! {
    /// A setting or a state of the running kernel.
    KernelSetting = "kernel-setting" {
        /// Name as sysctl(8) writes it (`kernel.core_pattern`), or of the thing it belongs to (`binfmt_misc.python3`).
        1 name: Text as Plain,
        /// Its value, without the line end.
        2 value: Text as Plain,
        /// Where it is read.
        3 path: Text as Path,
        /// The program it makes the kernel run, if it names one.
        4 runs: Option<Text> as Path,
    }
}
