//! Which file systems the walk enters.

use crate::walk::{is_made_by_kernel, is_remote};
use calma_formats::mountinfo::{self, Mount};
use calma_host::{AUTOMOUNT, Host, Stat, parent};
use std::collections::{BTreeSet, HashMap};

/// What to do with a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Enter it.
    Enter,
    /// Enter it when all else is walked: the same files stand elsewhere, under the name they are known by.
    Later,
    /// Enter it if its file system, asked after it was opened, is a local one.
    Ask,
    /// Not a place for files of this machine.
    Leave,
    /// Served by another machine or a program: it may hang.
    Remote,
}

/// The mounts of calma's own namespace.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    by_id: HashMap<u64, Way>,
    by_point: HashMap<Vec<u8>, Way>,
    /// Names not to ask about, by directory.
    without: HashMap<Vec<u8>, Vec<Vec<u8>>>,
    running: bool,
}

impl Mounts {
    /// Reads the table of mounts.
    pub(super) fn read(host: &dyn Host, network: bool) -> Self {
        let mut mounts = Self { running: host.kernel().is_some(), ..Self::default() };
        for path in [b"/proc", &b"/sys"[..]] {
            mounts.by_point.insert(path.to_vec(), Way::Leave);
        }
        if !mounts.running {
            return mounts;
        }
        let text = host.tree().read(b"/proc/self/mountinfo", 16 << 20);
        let table = mountinfo::parse(&text.map(|content| content.bytes).unwrap_or_default());
        let whole: BTreeSet<_> =
            table.iter().filter(|mount| mount.root == "/").map(|mount| &mount.device).collect();
        let mut first = BTreeSet::new();
        for mount in &table {
            let again = !first.insert((&mount.device, &mount.root))
                || (mount.root != "/" && whole.contains(&mount.device));
            mounts.add(mount, again, network);
        }
        mounts
    }

    fn add(&mut self, mount: &Mount, again: bool, network: bool) {
        let (kind, point) = (mount.filesystem.as_bytes(), mount.point.as_bytes());
        let way = match () {
            // The machine's own root is walked whatever it is: live systems stand on odd file systems.
            () if point == b"/" => Way::Enter,
            () if is_remote(kind) && !network => Way::Remote,
            () if is_made_by_kernel(kind) => Way::Leave,
            () if again => Way::Later,
            () => Way::Enter,
        };
        if way == Way::Remote || kind == b"autofs" {
            let name = point.rsplit(|b| *b == b'/').next().unwrap_or_default().to_vec();
            self.without.entry(parent(point).to_vec()).or_default().push(name);
        }
        self.by_id.insert(u64::from(mount.id), way);
        // Of several mounts on one point the last one is on top.
        self.by_point.insert(point.to_vec(), way);
    }

    /// Names in a directory that are not to be asked about.
    pub(super) fn without(&self, directory: &[u8]) -> Vec<&[u8]> {
        self.without.get(directory).map(|names| names.iter().map(Vec::as_slice).collect()).unwrap_or_default()
    }

    /// Whether an unasked name is one of a network or user-space file system.
    pub(super) fn is_remote(&self, point: &[u8]) -> bool {
        self.by_point.get(point) == Some(&Way::Remote)
    }

    /// What to do with a directory in another one.
    pub(super) fn way(&self, path: &dyn Fn() -> Vec<u8>, stat: &Stat, above: &Stat) -> Way {
        if stat.has(AUTOMOUNT) {
            return Way::Leave;
        }
        match (stat.mount, above.mount) {
            (Some(own), Some(other)) if self.running && own == other => return Way::Enter,
            (Some(own), Some(_)) if self.running => {
                return self.by_id.get(&own).copied().unwrap_or(Way::Ask);
            }
            _ => {}
        }
        match self.by_point.get(&path()) {
            Some(way) => *way,
            None if stat.device == above.device => Way::Enter,
            None => Way::Ask,
        }
    }
}

/// File systems whose files another machine or a program serves, by their magic number (statfs(2), linux/magic.h).
const REMOTE: &[u64] = &[
    0x6573_5546, // FUSE
    0x6969,      // NFS
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2
    0x517b,      // SMB
    0x564c,      // NCP
    0x0102_1997, // 9p
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0x6b41_4653, // kAFS
    0x0bd0_0bd0, // Lustre
    0x0116_1970, // GFS2
    0x7461_636f, // OCFS2
    0x7375_7245, // Coda
];

/// File systems whose files the kernel makes up.
const MADE: &[u64] = &[
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x1cd1,      // devpts
    0x1980_0202, // mqueue
    0x9584_58f6, // hugetlbfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0x6165_676c, // pstore
    0xcafe_4a11, // bpf
    0x6265_6570, // configfs
    0x0187,      // autofs
    0x4249_4e4d, // binfmt_misc
    0x6573_5543, // fusectl
    0x6759_6969, // rpc_pipefs
    0x6e73_6673, // nsfs
    0xde5e_81e4, // efivarfs
    0xf97c_ff8c, // selinux
    0x0765_5821, // resctrl
    0x6e66_7364, // nfsd
];

/// What to do with a directory whose mount the table does not name, by the type of its file system.
pub(super) fn way_of_magic(magic: u64, network: bool) -> Way {
    match magic {
        magic if MADE.contains(&magic) => Way::Leave,
        magic if REMOTE.contains(&magic) && !network => Way::Remote,
        _ => Way::Enter,
    }
}

/// Whether the file system's inode numbers tell its directories apart.
pub(super) fn has_lasting_inodes(magic: u64) -> bool {
    !REMOTE.contains(&magic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_host::Mem;

    #[test]
    fn binds_come_later_and_remote_ones_are_not_asked() {
        let table = "1 0 8:1 / / rw - ext4 x rw\n2 1 8:1 /srv /mnt/b rw - ext4 x rw\n3 1 0:9 / /net rw - nfs4 s:/ rw\n\
            4 1 0:8 / /c rw - cgroup2 c rw\n5 1 8:2 / /home rw - xfs y rw\n6 1 8:2 / /h2 rw - xfs y rw\n";
        let host = Mem::running().file("/proc/self/mountinfo", table);
        let mounts = Mounts::read(&host, false);
        let at = |id| Stat { mount: Some(id), ..Stat::default() };
        let way = |id| mounts.way(&Vec::new, &at(id), &at(1));
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 7].map(way),
            [Way::Enter, Way::Later, Way::Remote, Way::Leave, Way::Enter, Way::Later, Way::Ask]
        );
        assert_eq!(mounts.without(b"/"), [&b"net"[..]]);
        assert!(Mounts::read(&host, true).without(b"/").is_empty());
    }
}
