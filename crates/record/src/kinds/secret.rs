//! Kind: something on this host that opens something elsewhere.

use crate::{Text, Timestamp, kind::kind};

kind! {
    /// A key, password, token or trust that stands on this host and opens something, here or elsewhere. Its place, never its value.
    Secret = "secret" {
        /// What it is, by stable name: `private-key`, `host-key`, `key-store`, `cloud`, `cloud-role`, `code`, `kubernetes`,
        /// `store`, `backup`, `machine`, `agent`, `database`, `service`, `application`, `sessions`, `password-hashes`, `trust`.
        1 what: String as Plain,
        /// The same in a few plain words: "an OpenSSH private key".
        2 words: String as Plain,
        /// The file or socket; of a process, its program's name in /proc.
        3 path: Text as Path,
        /// The process whose environment holds it, one of them.
        4 pid: Option<u32> as Pid,
        /// Names of the settings, variables, accounts or machines in question. Never a value.
        5 names: Vec<Text> as Plain,
        /// How many there are.
        6 count: u32 as Plain,
        /// Whether a passphrase protects it; `None` if that can not be told.
        7 encrypted: Option<bool> as Plain,
        /// Who may read it besides root: `root`, `owner`, `group`, `everybody`.
        8 readable_by: String as Plain,
        /// Owner's user id.
        9 uid: u32 as Plain,
        /// Group id.
        10 gid: u32 as Plain,
        /// Permission bits (07777).
        11 mode: u32 as Plain,
        /// Last change of content.
        12 modified: Timestamp as Time,
        /// How it was recognised: `content`, `name`, `environment`, `socket`.
        13 known_by: String as Plain,
        /// Whether it stands in a folder that a web server serves.
        14 served: bool as Plain,
        /// Package that the host's own package list says the file belongs to; forgeable by root.
        15 package: Option<Text> as Plain,
        /// Whether it opens nothing elsewhere: a key that was made at installation for this host alone.
        16 own: bool as Plain,
    }
}
