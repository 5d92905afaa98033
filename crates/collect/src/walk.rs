//! A bounded walk over directories: no link followed, no network or kernel file system entered, no recursion.

use crate::{Context, Flow, Out};
use calma_host::{Entry, FileKind, Meta, join};
use calma_record::Gap;
use std::collections::BTreeSet;

/// Deeper than this nothing is looked at; paths stay under 130 KiB.
const DEEPEST: usize = 512;
/// No directory is read further than this.
const LARGEST_DIRECTORY: usize = 200_000;

/// A directory as a walk shows it.
pub(crate) struct Seen<'a> {
    /// Its path.
    pub(crate) path: &'a [u8],
    /// Its names, sorted; regular files with their metadata.
    pub(crate) names: &'a [(Entry, Option<Meta>)],
}

/// A walk, or several with one bound between them.
pub(crate) struct Walk<'a> {
    context: &'a Context,
    skipped: BTreeSet<Vec<u8>>,
    what: &'static str,
    left: usize,
    prune: fn(&[u8]) -> bool,
}

impl<'a> Walk<'a> {
    /// A walk for `what`, over at most `most` names in all.
    pub(crate) fn new(context: &'a Context, what: &'static str, most: usize, out: &mut Out) -> Self {
        let mut walk = Self { context, skipped: BTreeSet::new(), what, left: most, prune: |_| false };
        walk.skipped.extend([b"/proc".to_vec(), b"/sys".to_vec()]);
        if context.host.kernel().is_some() {
            walk.skip_mounts(out);
        }
        walk
    }

    /// The same walk, which does not enter the directories that `prune` names.
    pub(crate) fn without(mut self, prune: fn(&[u8]) -> bool) -> Self {
        self.prune = prune;
        self
    }

    /// Walks `root` and what is below it, unless an earlier walk of this one did, using at most `most` names.
    pub(crate) fn over(
        &mut self,
        root: &[u8],
        most: usize,
        out: &mut Out,
        visit: &mut dyn FnMut(&Seen<'_>, &mut Out) -> Flow,
    ) -> Flow {
        let mut own = most.min(self.left);
        let mut todo = vec![(root.to_vec(), 0_usize)];
        while let Some((path, depth)) = todo.pop() {
            if self.skipped.contains(&path) || (self.prune)(&path) {
                continue;
            }
            if is_image_tree(&path) {
                let gap =
                    Gap::new("files of container images, snaps and nested systems", "not looked into yet");
                out.gap(gap.at(path))?;
                continue;
            }
            if depth > DEEPEST || own == 0 {
                let why =
                    if own == 0 { "there are too many files" } else { "directories are nested too deep" };
                out.gap(Gap::new(self.what, why).at(path))?;
                if own == 0 {
                    break;
                }
                continue;
            }
            match self.context.host.tree().survey(&path, LARGEST_DIRECTORY.min(own)) {
                Err(error) => out.unseen(self.what, &error)?,
                Ok(names) => {
                    own = own.saturating_sub(names.len());
                    self.left = self.left.saturating_sub(names.len());
                    visit(&Seen { path: &path, names: &names }, out)?;
                    let directories = names.iter().rev().filter(|(e, _)| e.kind == Some(FileKind::Directory));
                    todo.extend(directories.map(|(e, _)| (join(&path, e.name.as_bytes()), depth + 1)));
                }
            }
        }
        self.skipped.insert(root.to_vec());
        out.flow()
    }

    /// Passes over mounts that are no files of this machine (proc(5), mountinfo).
    fn skip_mounts(&mut self, out: &mut Out) {
        let text = self.context.host.tree().read(b"/proc/self/mountinfo", 4 << 20);
        for line in text.map(|content| content.bytes).unwrap_or_default().split(|b| *b == b'\n') {
            let mut words = line.split(|b| *b == b' ');
            let Some(point) = words.nth(4).map(unescape) else { continue };
            let kind = words.skip_while(|word| *word != b"-").nth(1).unwrap_or_default();
            if point == b"/" {
                continue;
            }
            let remote = is_remote(kind);
            if remote {
                let gap = Gap::new(
                    "files of network and user-space file systems",
                    "they may hang, and were not entered",
                );
                let _ = out.gap(gap.at(point.as_slice()));
            }
            if remote || is_made_by_kernel(kind) {
                self.skipped.insert(point);
            }
        }
    }
}

/// File systems that another machine or a program serves.
pub(crate) fn is_remote(kind: &[u8]) -> bool {
    const REMOTE: &[&[u8]] = &[
        b"nfs",
        b"nfs4",
        b"cifs",
        b"smb3",
        b"smbfs",
        b"ceph",
        b"afs",
        b"ncpfs",
        b"9p",
        b"lustre",
        b"gfs2",
        b"ocfs2",
        b"glusterfs",
        b"beegfs",
        b"orangefs",
        b"coda",
        b"fuse",
        b"fuseblk",
    ];
    REMOTE.contains(&kind) || kind.starts_with(b"fuse.")
}

/// File systems whose files the kernel makes up, and automount points, which must not be woken.
pub(crate) fn is_made_by_kernel(kind: &[u8]) -> bool {
    const MADE: &[&[u8]] = &[
        b"proc",
        b"sysfs",
        b"cgroup",
        b"cgroup2",
        b"devpts",
        b"mqueue",
        b"hugetlbfs",
        b"debugfs",
        b"tracefs",
        b"securityfs",
        b"pstore",
        b"bpf",
        b"configfs",
        b"autofs",
        b"binfmt_misc",
        b"fusectl",
        b"rpc_pipefs",
        b"nsfs",
        b"efivarfs",
        b"selinuxfs",
        b"resctrl",
        b"nfsd",
    ];
    MADE.contains(&kind)
}

/// Trees of other systems: layers of container images, snaps, machines.
pub(crate) fn is_image_tree(path: &[u8]) -> bool {
    const WHOLE: &[&[u8]] = &[
        b"/snap",
        b"/var/lib/snapd/snap",
        b"/var/lib/snapd/snaps",
        b"/var/lib/flatpak",
        b"/var/lib/machines",
        b"/var/lib/lxd",
        b"/var/lib/incus",
        b"/var/lib/lxc",
    ];
    const LAYERS: &[&[u8]] = &[
        b"overlay2",
        b"overlay",
        b"aufs",
        b"vfs",
        b"devicemapper",
        b"fuse-overlayfs",
        b"btrfs",
        b"zfs",
        b"rootfs",
    ];
    if WHOLE.contains(&path) {
        return true;
    }
    let mut parts = path.rsplit(|b| *b == b'/');
    let (name, above) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match above {
        b"docker" | b"storage" => {
            LAYERS.contains(&name) && contains(path, b"/containers/storage/", b"/docker/")
        }
        b"containerd" => name.starts_with(b"io.containerd."),
        _ => false,
    }
}

fn contains(path: &[u8], one: &[u8], other: &[u8]) -> bool {
    path.windows(one.len()).any(|part| part == one) || path.windows(other.len()).any(|part| part == other)
}

/// The kernel writes space, tab, newline and backslash of a mount point as three octal digits.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, behind)) = rest.split_first() {
        let octal = behind.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            digits.iter().try_fold(0_u32, |sum, b| char::from(*b).to_digit(8).map(|digit| sum * 8 + digit))
        });
        match octal.and_then(|value| u8::try_from(value).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = behind.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use calma_host::Mem;
    use std::sync::Arc;

    fn walked(host: Mem, most: usize) -> (Vec<Vec<u8>>, usize) {
        let context = Context::new(Arc::new(host), Options::default());
        let (mut out, from) = Out::new(1000, Arc::default());
        let mut paths = Vec::new();
        let flow =
            Walk::new(&context, "files", most, &mut out).over(b"/", most, &mut out, &mut |seen, out| {
                paths.push(seen.path.to_vec());
                out.flow()
            });
        assert!(flow.is_continue());
        drop(out);
        (paths, from.iter().count())
    }

    #[test]
    fn deep_trees_mounts_and_links_are_survived() {
        let deep = format!("{}/x", "/d".repeat(400));
        let mountinfo = "1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / /net\\040work rw - nfs4 srv:/x rw\n3 1 0:3 / /c rw - cgroup2 x rw\n";
        let host = Mem::running()
            .file(&deep, "x")
            .file("/net work/x", "")
            .file("/c/x", "")
            .file("/proc/self/mountinfo", mountinfo)
            .symlink("/loop", "/")
            .file("/var/lib/docker/overlay2/a/x", "");
        let (paths, gaps) = walked(host, 10_000);
        assert_eq!(gaps, 2, "network and image layers");
        assert!(paths.iter().any(|path| path.len() == 800));
        assert!(
            !paths.iter().any(|path| path.starts_with(b"/net")
                || path.starts_with(b"/c")
                || path.starts_with(b"/loop"))
        );
    }

    #[test]
    fn a_bound_ends_the_walk_with_a_gap() {
        let host = (0..50).fold(Mem::new(), |host, n| host.file(format!("/d{n}/f"), ""));
        let (paths, gaps) = walked(host, 10);
        assert!(paths.len() < 50);
        assert_eq!(gaps, 1);
    }
}
