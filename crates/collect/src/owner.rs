//! Which package the host's own package list says a file belongs to.

mod dpkg;
mod others;

use calma_host::Tree;
use calma_record::{Gap, Text};
use std::hash::{BuildHasher, RandomState};

/// What the host's package list says of a path. Root can forge it: a hint, never a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It belongs to this package.
    Package(Text),
    /// The list is readable and does not name it.
    Nobody,
    /// There is no package list calma can read.
    Unknown,
}

/// No list is read further than this many paths: 16 bytes each.
const MOST_PATHS: usize = 4 << 20;

/// The package list of a host, as an index from path to package.
///
/// Paths are kept as 64-bit keyed hashes (SipHash with a key of this run, so that nobody can choose a name that falls on
/// another's): 100,000 paths take 1.6 MiB.
#[derive(Debug, Default)]
pub struct Packages {
    managers: Vec<Manager>,
    packages: Vec<Text>,
    index: Vec<(u64, u32)>,
    /// Where in the index the hashes with the same first bits begin: they are spread evenly, so a look-up is two steps.
    starts: Vec<u32>,
    alternatives: Vec<(u64, u32)>,
    keys: RandomState,
    known: bool,
    gaps: Vec<Gap>,
}

/// A package manager whose list stands on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// Its name: `dpkg`, `apk`, `pacman`, `rpm`.
    pub name: &'static str,
    /// How many packages its list names.
    pub packages: u64,
    /// How many paths its list names.
    pub paths: u64,
    /// Whether calma could read the list.
    pub read: bool,
}

impl Packages {
    /// Reads the package lists of dpkg, apk and pacman; says of rpm's that it was not read.
    pub fn read(tree: &dyn Tree) -> Self {
        let mut packages = Self::default();
        dpkg::read(tree, &mut packages);
        others::apk(tree, &mut packages);
        others::pacman(tree, &mut packages);
        others::rpm(tree, &mut packages);
        for index in [&mut packages.index, &mut packages.alternatives] {
            index.sort_unstable();
            index.dedup_by_key(|entry| entry.0);
            index.shrink_to_fit();
        }
        packages.starts = starts(&packages.index);
        if packages.index.len() >= MOST_PATHS {
            let gap =
                Gap::new("the rest of the package list", "it names more paths than any real system has");
            packages.gaps.push(gap.important());
            packages.known = false;
        }
        packages
    }

    /// What the list says of `path`, which should have no links in its directories.
    pub fn owner(&self, path: &[u8]) -> Owner {
        if !self.known {
            return Owner::Unknown;
        }
        self.number(path).and_then(|number| self.name(number)).map_or(Owner::Nobody, Owner::Package)
    }

    /// The number of the package that the list says `path` belongs to.
    pub(crate) fn number(&self, path: &[u8]) -> Option<u32> {
        if !self.known {
            return None;
        }
        let hash = self.hash(path);
        let bucket = usize::try_from(hash >> (64 - BITS)).ok()?;
        let range = *self.starts.get(bucket)?..*self.starts.get(bucket + 1)?;
        let hashes = self.index.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)?;
        hashes.iter().find(|entry| entry.0 == hash).map(|entry| entry.1)
    }

    /// The name of a package by its number.
    pub(crate) fn name(&self, number: u32) -> Option<Text> {
        self.packages.get(usize::try_from(number).ok()?).cloned()
    }

    /// The same for a symbolic link: those that update-alternatives(1) makes belong to their alternative, though no list
    /// names them. Never ask this of a regular file: one that stands where such a link should be has no owner.
    pub fn owner_of_link(&self, path: &[u8]) -> Owner {
        match self.owner(path) {
            Owner::Nobody => self.find(&self.alternatives, path).map_or(Owner::Nobody, Owner::Package),
            other => other,
        }
    }

    /// Whether there is a list, so that no owner means something.
    pub fn known(&self) -> bool {
        self.known
    }

    /// The package managers whose lists stand on the host.
    pub fn managers(&self) -> &[Manager] {
        &self.managers
    }

    /// What of the lists could not be read.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    fn find(&self, index: &[(u64, u32)], path: &[u8]) -> Option<Text> {
        let hash = self.hash(path);
        let at = index.binary_search_by_key(&hash, |entry| entry.0).ok()?;
        let number = usize::try_from(index.get(at)?.1).ok()?;
        self.packages.get(number).cloned()
    }

    fn hash(&self, path: &[u8]) -> u64 {
        self.keys.hash_one(merged(path))
    }

    /// A new package's number.
    fn package(&mut self, name: impl Into<Text>) -> u32 {
        self.packages.push(name.into());
        u32::try_from(self.packages.len() - 1).unwrap_or(u32::MAX)
    }

    /// Notes that `path` belongs to `package`; false when the bound is reached.
    fn own(&mut self, path: &[u8], package: u32) -> bool {
        let room = self.index.len() < MOST_PATHS;
        if room {
            self.index.push((self.hash(path), package));
        }
        room
    }
}

/// First bits of a hash that choose its bucket: 450,000 paths give seven in each.
const BITS: u32 = 16;

/// The first place in the sorted index of each bucket, and the end behind them all.
fn starts(index: &[(u64, u32)]) -> Vec<u32> {
    let mut starts = Vec::with_capacity((1 << BITS) + 1);
    let mut at = 0;
    for bucket in 0..1_u64 << BITS {
        starts.push(u32::try_from(at).unwrap_or(u32::MAX));
        while index.get(at).is_some_and(|entry| entry.0 >> (64 - BITS) == bucket) {
            at += 1;
        }
    }
    starts.push(u32::try_from(at).unwrap_or(u32::MAX));
    starts
}

/// Systems with a merged /usr list `/lib/x` for what stands at `/usr/lib/x`: both are looked up without `/usr`.
fn merged(path: &[u8]) -> &[u8] {
    let rest = path.strip_prefix(b"/usr").unwrap_or_default();
    let merged = [&b"/bin/"[..], b"/sbin/", b"/lib/", b"/lib32/", b"/lib64/", b"/libx32/"];
    if merged.iter().any(|directory| rest.starts_with(directory)) { rest } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_host::Mem;

    #[test]
    fn dpkg_lists_are_looked_up_with_and_without_usr() {
        let host = Mem::new()
            .file(
                "/var/lib/dpkg/info/libc6:amd64.list",
                "/.\n/lib\n/lib/libc.so.6\n\n\x00garbage\nrelative\n",
            )
            .file("/var/lib/dpkg/info/coreutils.list", "/bin/ls\n/usr/bin/env\n");
        let packages = Packages::read(&host);
        assert_eq!(packages.owner(b"/usr/lib/libc.so.6"), Owner::Package("libc6".into()));
        assert_eq!(packages.owner(b"/usr/bin/ls"), Owner::Package("coreutils".into()));
        assert_eq!(packages.owner(b"/usr/bin/env"), Owner::Package("coreutils".into()));
        assert_eq!(packages.owner(b"/usr/bin/evil"), Owner::Nobody);
        assert_eq!(packages.owner(b"relative"), Owner::Nobody);
        assert_eq!(
            packages.managers().first().map(|m| (m.name, m.packages, m.read)),
            Some(("dpkg", 2, true))
        );
    }

    #[test]
    fn diversions_move_the_owner_and_a_local_one_leaves_nobody() {
        let host = Mem::new()
            .file("/var/lib/dpkg/info/bash.list", "/bin/sh\n/bin/bash\n")
            .file("/var/lib/dpkg/info/dash.list", "/bin/sh\n/bin/dash\n")
            .file("/var/lib/dpkg/info/less.list", "/usr/bin/less\n")
            .file(
                "/var/lib/dpkg/diversions",
                "/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/less\n/usr/bin/less.real\n:\n",
            );
        let packages = Packages::read(&host);
        for (path, owner) in [
            (&b"/usr/bin/sh"[..], Owner::Package("dash".into())),
            (b"/usr/bin/sh.distrib", Owner::Package("bash".into())),
            (b"/usr/bin/less", Owner::Nobody),
            (b"/usr/bin/less.real", Owner::Package("less".into())),
        ] {
            assert_eq!(packages.owner(path), owner, "{}", Text::from(path));
        }
    }

    #[test]
    fn alternatives_own_their_links_and_not_what_replaces_them() {
        let host = Mem::new().file("/var/lib/dpkg/info/mawk.list", "/usr/bin/mawk\n").file(
            "/var/lib/dpkg/alternatives/awk",
            "auto\n/usr/bin/awk\nnawk\n/usr/bin/nawk\n\n/usr/bin/mawk\n5\n/usr/bin/mawk\n\n",
        );
        let packages = Packages::read(&host);
        for link in [&b"/usr/bin/awk"[..], b"/bin/nawk", b"/etc/alternatives/awk", b"/etc/alternatives/nawk"]
        {
            assert!(matches!(packages.owner_of_link(link), Owner::Package(_)), "{}", Text::from(link));
            assert_eq!(packages.owner(link), Owner::Nobody);
        }
    }

    #[test]
    fn apk_and_pacman_are_read_and_rpm_is_a_gap() {
        let apk = Mem::new().file(
            "/lib/apk/db/installed",
            "C:Q1x\nP:busybox\nV:1\nF:bin\nR:busybox\na:0:0:755\nF:etc\nR:x\n\n",
        );
        assert_eq!(Packages::read(&apk).owner(b"/bin/busybox"), Owner::Package("busybox".into()));
        assert_eq!(Packages::read(&apk).owner(b"/etc/y"), Owner::Nobody);
        let pacman = Mem::new().file(
            "/var/lib/pacman/local/gcc-libs-14.1-2/files",
            "%FILES%\nusr/\nusr/bin/x\n\n%BACKUP%\netc/b\tabc\n",
        );
        assert_eq!(Packages::read(&pacman).owner(b"/usr/bin/x"), Owner::Package("gcc-libs".into()));
        let rpm = Packages::read(&Mem::new().file("/var/lib/rpm/rpmdb.sqlite", "SQLite format 3\0"));
        assert_eq!(rpm.owner(b"/usr/bin/ls"), Owner::Unknown);
        assert_eq!(rpm.gaps().len(), 1);
        assert_eq!(Packages::read(&Mem::new()).owner(b"/bin/ls"), Owner::Unknown);
    }

    #[test]
    fn lists_that_were_taken_away_make_the_whole_list_unknown() {
        let status =
            (0..40).map(|n| format!("Package: p{n}\nStatus: install ok installed\n\n")).collect::<String>();
        let host = Mem::new()
            .file("/var/lib/dpkg/status", status)
            .file("/var/lib/dpkg/info/p1.list", "/usr/bin/p1\n");
        let packages = Packages::read(&host);
        assert_eq!(packages.owner(b"/usr/bin/p2"), Owner::Unknown);
        assert!(packages.gaps().iter().any(|gap| gap.important));
    }
}
