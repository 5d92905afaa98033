//! Collector: mounts, of calma's own namespace and of every other that a process lives in.

use crate::{Card, Collector, Context, Flow, Needs, Out, Patience, Volatility, pids};
use calma_formats::{lines, mountinfo};
use calma_host::{FileKind, join};
use calma_record::{Gap, Source, Text, View, kinds};
use std::collections::{BTreeMap, BTreeSet};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "mounts",
        doing: "Looking at mounts",
        doc: "mounts of every mount namespace that a process lives in",
        volatility: Volatility::UntilReboot,
        needs: Needs::Kernel,
        patience: Duration::from_secs(20),
    },
    collect,
};

/// No more namespaces than this are read.
const NAMESPACES: usize = 1024;
/// No more mounts than this of one namespace.
const MOUNTS: usize = 8192;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let own = pids::namespace(context, "self", "mnt").unwrap_or(0);
    let place = "/proc/self/mountinfo";
    let mut known = BTreeSet::new();
    match context.host.tree().read(place.as_bytes(), 16 << 20) {
        Err(error) => {
            out.gap(Gap::new("the host's mounts", error.why()).important())?;
        }
        Ok(content) => {
            let mut mounts = facts(&content.bytes);
            let configured = configured(context);
            for mount in &mut mounts {
                (mount.namespace, mount.own) = (own, true);
                mount.configured = configured.contains(&mount.point);
            }
            look_at_points(context, &mut mounts);
            known.extend(mounts.iter().map(identity));
            let unlisted = unlisted(context, &mounts);
            for mount in mounts {
                out.fact(Source::proc(place), mount)?;
            }
            for mount in unlisted {
                out.fact(Source::kernel(View::CrossView, "device numbers below /proc"), mount)?;
            }
        }
    }
    others(context, own, &known, out)
}

/// What makes a mount the same in a namespace that was copied from the host's.
fn identity(mount: &kinds::Mount) -> (Text, Text, Text, Text) {
    (mount.point.clone(), mount.root.clone(), mount.device.clone(), mount.filesystem.clone())
}

/// The mounts other namespaces have beside those that they share with calma's own.
fn others(context: &Context, own: u64, known: &BTreeSet<(Text, Text, Text, Text)>, out: &mut Out) -> Flow {
    let mut seen = BTreeSet::from([own]);
    for pid in pids::listed(context) {
        let namespace = match pids::namespace(context, &pid.to_string(), "mnt") {
            Ok(namespace) => namespace,
            Err(error) => {
                out.unseen("mount namespaces of processes", &error)?;
                continue;
            }
        };
        if namespace == 0 || seen.contains(&namespace) {
            continue;
        }
        if seen.len() > NAMESPACES {
            return out.gap(Gap::new("mounts of more than 1,024 mount namespaces", "there are too many"));
        }
        let place = format!("/proc/{pid}/mountinfo");
        let content = match context.host.tree().read(place.as_bytes(), 4 << 20) {
            Ok(content) if !content.bytes.is_empty() => content,
            // Gone, or has no root any more: another process of the namespace may answer.
            Ok(_) => continue,
            Err(error) => {
                out.unseen("mounts of other mount namespaces", &error)?;
                continue;
            }
        };
        seen.insert(namespace);
        let (process, group) = (pids::name(context, pid), pids::group(context, pid));
        for mut mount in facts(&content.bytes) {
            if known.contains(&identity(&mount)) {
                continue;
            }
            (mount.namespace, mount.pid) = (namespace, pid);
            (mount.process, mount.group) = (process.clone(), group.clone());
            out.fact(Source::proc(place.as_str()), mount)?;
        }
        out.flow()?;
    }
    out.flow()
}

/// The rows of one mountinfo text.
fn facts(bytes: &[u8]) -> Vec<kinds::Mount> {
    let mut mounts = mountinfo::parse(bytes);
    mounts.truncate(MOUNTS);
    let by_id: BTreeMap<u32, &mountinfo::Mount> = mounts.iter().map(|mount| (mount.id, mount)).collect();
    let covered: BTreeSet<u32> = mounts
        .iter()
        .filter(|mount| by_id.get(&mount.parent).is_some_and(|below| below.point == mount.point))
        .map(|mount| mount.parent)
        .collect();
    let itself = |mount: &mountinfo::Mount| {
        let below = by_id.get(&mount.parent)?;
        let rest = below_point(mount.point.as_bytes(), below.point.as_bytes())?;
        let expected =
            if rest.is_empty() { below.root.as_bytes().to_vec() } else { join(below.root.as_bytes(), rest) };
        Some(below.id != mount.id && mount.device == below.device && mount.root.as_bytes() == expected)
    };
    mounts
        .iter()
        .map(|mount| kinds::Mount {
            point: mount.point.clone(),
            root: mount.root.clone(),
            filesystem: mount.filesystem.clone(),
            source: mount.source.clone(),
            options: mount.options.clone(),
            super_options: mount.super_options.clone(),
            device: mount.device.clone(),
            id: mount.id,
            parent: mount.parent,
            itself: itself(mount).unwrap_or(false),
            covered: covered.contains(&mount.id),
            listed: true,
            ..kinds::Mount::default()
        })
        .collect()
}

/// The part of `path` below `point`, without a slash; empty if they are the same.
fn below_point<'a>(path: &'a [u8], point: &[u8]) -> Option<&'a [u8]> {
    let point = point.strip_suffix(b"/").unwrap_or(point);
    let rest = path.strip_prefix(point)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"/") }
}

/// Mount points that the administrator's own settings name.
fn configured(context: &Context) -> BTreeSet<Text> {
    let tree = context.host.tree();
    let fstab = tree.read(b"/etc/fstab", 1 << 20).map(|content| content.bytes).unwrap_or_default();
    let mut points: BTreeSet<Text> = mountinfo::fstab_points(&fstab).into_iter().collect();
    for directory in [&b"/etc/systemd/system"[..], b"/usr/lib/systemd/system", b"/lib/systemd/system"] {
        for entry in tree.list(directory).unwrap_or_default() {
            if !entry.name.as_bytes().ends_with(b".mount") {
                continue;
            }
            let unit = tree.read(&join(directory, entry.name.as_bytes()), 64 << 10);
            for (_, line) in lines::meaningful(&unit.map(|content| content.bytes).unwrap_or_default()) {
                if let Some((b"Where", point)) = lines::cut(line, b'=') {
                    points.insert(point.into());
                }
            }
        }
    }
    points
}

/// Asks what stands at each point. File systems that may not answer (network, user space) are not asked.
fn look_at_points(context: &Arc<Context>, mounts: &mut [kinds::Mount]) {
    const SILENT: [&[u8]; 12] = [
        b"nfs",
        b"nfs4",
        b"cifs",
        b"smb3",
        b"9p",
        b"ceph",
        b"afs",
        b"lustre",
        b"gfs2",
        b"ocfs2",
        b"autofs",
        b"virtiofs",
    ];
    // Their device number in mountinfo is not the one stat(2) gives for each of their files.
    const SEVERAL_NUMBERS: [&[u8]; 4] = [b"btrfs", b"overlay", b"zfs", b"bcachefs"];
    let numbers_agree = numbers_agree(context, mounts);
    let mut patience = Patience::new(Duration::from_secs(1));
    for mount in mounts.iter_mut().filter(|mount| !mount.covered) {
        let kind = mount.filesystem.as_bytes();
        if SILENT.contains(&kind) || kind.starts_with(b"fuse") {
            continue;
        }
        let (host, path) = (Arc::clone(&context.host), mount.point.as_bytes().to_vec());
        let Some(Ok(meta)) = patience.call(move || host.tree().meta(&path)) else { continue };
        mount.what = match meta.kind {
            FileKind::File => "file",
            FileKind::Directory => "directory",
            FileKind::Link | FileKind::Other => "other",
        }
        .to_owned();
        let found = number(meta.device);
        if numbers_agree && found != mount.device && !SEVERAL_NUMBERS.contains(&kind) {
            mount.found = Some(found);
        }
    }
}

/// Whether device numbers can be compared at all: they can where /proc has the number its mount has.
fn numbers_agree(context: &Context, mounts: &[kinds::Mount]) -> bool {
    let proc =
        mounts.iter().find(|mount| mount.point == "/proc" && mount.filesystem == "proc" && !mount.covered);
    let meta = context.host.tree().meta(b"/proc");
    proc.zip(meta.ok()).is_some_and(|(proc, meta)| number(meta.device) == proc.device)
}

/// Points below /proc where another file system stands although the kernel's mount table does not say so.
fn unlisted(context: &Context, mounts: &[kinds::Mount]) -> Vec<kinds::Mount> {
    const TABLES: [&str; 9] = ["tcp", "tcp6", "udp", "udp6", "raw", "packet", "unix", "netlink", "dev"];
    let tree = context.host.tree();
    let Ok(proc) = tree.meta(b"/proc") else { return Vec::new() };
    if !numbers_agree(context, mounts) {
        return Vec::new();
    }
    let listed: BTreeSet<&[u8]> = mounts.iter().map(|mount| mount.point.as_bytes()).collect();
    let names = tree.list(b"/proc").unwrap_or_default();
    let names = names.iter().map(|entry| join(b"/proc", entry.name.as_bytes()));
    let tables = TABLES.iter().map(|name| format!("/proc/self/net/{name}").into_bytes());
    let mut found = Vec::new();
    for path in names.chain(tables) {
        if listed.contains(path.as_slice()) {
            continue;
        }
        let Ok(meta) = tree.meta(&path) else { continue };
        if meta.device != proc.device && meta.kind != FileKind::Link {
            let number = number(meta.device);
            let below = listed
                .iter()
                .any(|point| point.ends_with(path.rsplit(|b| *b == b'/').next().unwrap_or_default()));
            // /proc/self/net/tcp is listed under the number of the process.
            if !(below && path.starts_with(b"/proc/self/")) {
                found.push(kinds::Mount {
                    point: path.into(),
                    device: number,
                    own: true,
                    what: if meta.kind == FileKind::Directory { "directory" } else { "file" }.to_owned(),
                    ..kinds::Mount::default()
                });
            }
        }
    }
    found
}

/// A device number as mountinfo writes it (makedev(3)).
fn number(device: u64) -> Text {
    let major = ((device >> 32) & 0xffff_f000) | ((device >> 8) & 0xfff);
    let minor = ((device >> 12) & 0xffff_ff00) | (device & 0xff);
    format!("{major}:{minor}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds_to_itself_and_covered_mounts_are_told_apart() {
        let text = b"22 27 0:21 / /proc rw - proc proc rw\n27 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            30 22 0:21 /sys /proc/sys ro - proc proc rw\n31 22 0:21 /77 /proc/12 ro - proc proc rw\n\
            40 27 8:1 /etc /etc ro - ext4 /dev/sda1 rw\n41 40 0:50 / /etc rw - tmpfs x rw\n";
        let mounts = facts(text);
        let itself: Vec<_> = mounts.iter().map(|mount| mount.itself).collect();
        assert_eq!(itself, [false, false, true, false, true, false]);
        let covered: Vec<_> = mounts.iter().map(|mount| mount.covered).collect();
        assert_eq!(covered, [false, false, false, false, true, false]);
    }

    #[test]
    fn device_numbers_are_written_as_the_kernel_does() {
        assert_eq!(number(0xfe00), "254:0");
        assert_eq!(number(0x15), "0:21");
        assert_eq!(number((1 << 20) | 0x0005), "0:261");
    }
}
