//! Kind: a match of a user's rule.

use crate::{Text, kind::kind};

kind! {
    /// A rule of the user's that matched the content of a file or the memory of a process.
    RuleMatch = "rule-match" {
        /// Name of the rule.
        1 rule: String as Plain,
        /// The file of rules it stands in, below the folder that was named.
        2 namespace: String as Plain,
        /// Its tags.
        3 tags: Vec<String> as Plain,
        /// How bad it is in the rule's own word; empty if it does not say.
        4 severity: String as Plain,
        /// What the rule says it finds.
        5 description: String as Plain,
        /// The file, if it was a file.
        6 path: Text as Path,
        /// The process, if it was memory; else 0.
        7 pid: u32 as Pid,
        /// The first strings that were found, with their first offsets or addresses: "$a at 0x40, 0x80".
        8 strings: Vec<String> as Plain,
        /// Package that the host's own package list says the file belongs to; forgeable by root.
        9 package: Option<Text> as Plain,
    }
}
