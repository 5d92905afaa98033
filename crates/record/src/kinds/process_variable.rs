//! Kind: a variable of a process's environment.

use crate::{Text, kind::kind};

kind! {
    /// A variable of a process's environment that changes how programs load and run, or tells who came.
    ProcessVariable = "process-variable" {
        /// The process.
        1 pid: u32 as Pid,
        /// Name of the variable (environ(7)).
        2 name: Text as Plain,
        /// Its value when the program was started, or as the process changed it since.
        3 value: Text as Secret,
    }
}
