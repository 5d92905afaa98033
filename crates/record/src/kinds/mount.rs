//! Kind: a mount.

use crate::{Text, kind::kind};

kind! {
    /// One mount of a mount namespace (mount_namespaces(7)).
    Mount = "mount" {
        /// Where it is mounted, as the namespace's processes see it.
        1 point: Text as Path,
        /// Which directory or file of its file system stands there; `/` for the whole.
        2 root: Text as Path,
        /// Type of the file system.
        3 filesystem: Text as Plain,
        /// What is mounted: a device, a server, or a name without meaning.
        4 source: Text as Plain,
        /// Options of this mount.
        5 options: Text as Plain,
        /// Options of the file system.
        6 super_options: Text as Plain,
        /// Device number, `MAJOR:MINOR`.
        7 device: Text as Plain,
        /// The kernel's number of the mount.
        8 id: u32 as Plain,
        /// Number of the mount it is mounted on.
        9 parent: u32 as Plain,
        /// Inode number of the mount namespace; 0 if it could not be read.
        10 namespace: u64 as Plain,
        /// Whether it is the namespace calma itself looks from.
        11 own: bool as Plain,
        /// One process of the namespace; 0 for calma's own.
        12 pid: u32 as Pid,
        /// That process's name for itself.
        13 process: Text as Plain,
        /// That process's control group.
        14 group: Text as Path,
        /// Whether the same directory or file of the same file system would stand there without this mount (a bind mount that changes options only).
        15 itself: bool as Plain,
        /// Whether another mount stands over it at the same point.
        16 covered: bool as Plain,
        /// What stands at the point now, as calma sees it: `file`, `directory`, `other`; empty if it was not asked.
        17 what: String as Plain,
        /// Device number that stands at the point now, where it is not the one the kernel's mount table names.
        18 found: Option<Text> as Plain,
        /// Whether the kernel's mount table lists it; false when only the device number at the point gives it away.
        19 listed: bool as Plain,
        /// Whether /etc/fstab or a mount unit of the system names the point.
        20 configured: bool as Plain,
    }
}
