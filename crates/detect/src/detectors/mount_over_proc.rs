//! Detector: something mounted over a process's folder or a table of /proc.

use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, Text, kinds::Mount, kinds::System};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "mount-over-proc",
        doc: "Something is mounted over a process's folder or a table of /proc, which hides what is beneath.",
        mechanisms: &[14],
        attack: &["T1564", "T1014", "T1564.013"],
        why: "Every program that looks at /proc (ps, top, ss, lsmod) then sees the cover instead of the truth.",
        innocent: "",
        next: "look beneath from another kernel, or through the process's other traces; do not unmount it before the evidence is safe",
    },
    judge,
};

/// File systems that are made to be mounted at one place below /proc, and that place.
const AT_HOME: [(&[u8], &[u8]); 9] = [
    (b"autofs", b"sys/fs/binfmt_misc"),
    (b"binfmt_misc", b"sys/fs/binfmt_misc"),
    (b"nfsd", b"fs/nfsd"),
    (b"rpc_pipefs", b"fs/nfsd"),
    (b"xenfs", b"xen"),
    (b"openpromfs", b"openprom"),
    (b"usbfs", b"bus/usb"),
    (b"usbdevfs", b"bus/usb"),
    (b"vzlist", b"vz"),
];

/// Entries that container managers cover because they tell or allow too much; covering them hides no process, no
/// connection and no module from an administrator.
const TELLTALE: [&[u8]; 20] = [
    b"acpi",
    b"apm",
    b"asound",
    b"bootconfig",
    b"bus",
    b"fs",
    b"interrupts",
    b"irq",
    b"kallsyms",
    b"kcore",
    b"keys",
    b"kmsg",
    b"latency_stats",
    b"mtrr",
    b"sched_debug",
    b"scsi",
    b"sysrq-trigger",
    b"timer_list",
    b"timer_stats",
    b"sys/kernel/random/boot_id",
];

/// Entries that lxcfs makes anew for a container.
const LXCFS: [&[u8]; 10] = [
    b"cpuinfo",
    b"meminfo",
    b"stat",
    b"uptime",
    b"swaps",
    b"diskstats",
    b"loadavg",
    b"slabinfo",
    b"pressure",
    b"version",
];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let contained = tables.of::<System>().any(|system| !system.container.is_empty());
    let mut procs: BTreeMap<u64, Vec<&[u8]>> = BTreeMap::new();
    for mount in tables.of::<Mount>() {
        if mount.fact.filesystem == "proc" && mount.fact.root == "/" {
            procs.entry(mount.namespace).or_default().push(mount.fact.point.as_bytes());
        }
    }
    for mount in tables.of::<Mount>() {
        let mut points = procs.get(&mount.namespace).cloned().unwrap_or_default();
        // Other namespaces' rows leave out what they share with the host's, /proc among it.
        points.push(b"/proc");
        let point = mount.fact.point.as_bytes();
        let below = points.iter().filter_map(|proc| point.strip_prefix(*proc)?.strip_prefix(b"/"));
        let Some(entry) = below.min_by_key(|entry| entry.len()).filter(|entry| !entry.is_empty()) else {
            continue;
        };
        if let Some(draft) = weigh(tables, &mount, entry, contained) {
            drafts.push(draft);
        }
    }
}

/// What a mount at `entry` below /proc means; `None` if it is ordinary.
fn weigh(tables: &Tables, mount: &Row<'_, Mount>, entry: &[u8], contained: bool) -> Option<Draft> {
    let first = entry.split(|b| *b == b'/').next().unwrap_or_default();
    let process = std::str::from_utf8(first).ok().and_then(|name| name.parse::<u32>().ok());
    let own_place =
        AT_HOME.iter().any(|(kind, place)| mount.filesystem.as_bytes() == *kind && entry == *place);
    if mount.itself || own_place {
        return None;
    }
    let table = matches!(first, b"net" | b"self" | b"thread-self" | b"mounts") || entry == b"modules";
    let lxcfs = mount.filesystem == "fuse.lxcfs" && LXCFS.contains(&first);
    let masked = TELLTALE.iter().any(|name| entry == *name || first == *name && empty(mount));
    let ours = mount.own && !contained;
    let settings = first == b"sys" && !ours;
    if process.is_none() && !table && (lxcfs || masked && (!ours || empty(mount)) || settings) {
        return None;
    }
    let (severity, certainty) = match (process, table) {
        (Some(_), _) => (Severity::High, Certainty::VeryLikely),
        (None, true) if mount.own => (Severity::High, Certainty::VeryLikely),
        (None, false) if mount.own => (Severity::Medium, Certainty::Likely),
        (None, true) => (Severity::Medium, Certainty::Likely),
        // A container whose owner gives it another cpuinfo.
        (None, false) => (Severity::Info, Certainty::Possible),
    };
    let title = match process {
        Some(pid) => format!("Something is mounted over the folder of process {pid}"),
        None => format!("Something is mounted over {}", mount.point),
    };
    let identity =
        [mount.point.as_bytes(), b"\0", mount.root.as_bytes(), b"\0", mount.filesystem.as_bytes()].concat();
    let mut draft = Draft::new(severity, certainty, identity, title).path(&mount.point);
    draft = if mount.listed {
        let what = format!(
            "{} of a {} file system ({}) stands at {}",
            mount.root, mount.filesystem, mount.source, mount.point
        );
        draft.saw(what)
    } else {
        draft
            .saw(format!("another file system (device {}) stands at {}", mount.device, mount.point))
            .saw("the kernel's own table of mounts does not list it: something filters that table")
    };
    if !mount.own {
        draft = draft.saw(format!(
            "it is in the mount namespace of process {} (\"{}\"), not in the one you log in to",
            mount.pid, mount.process
        ));
        draft = draft.pid(mount.pid);
    }
    if mount.root != "/" && mount.filesystem != "proc" && mount.listed {
        let (path, seen) = origin(tables, mount);
        if seen && path != mount.root {
            draft = draft.saw(format!("that is {path}"));
        }
        draft = draft.path(&path);
    }
    if let Some(pid) = process {
        draft = draft.pid(pid).why(
            "Whoever looks at processes through /proc sees the cover instead of this process: it is hidden.",
        );
    }
    Some(draft.from(mount, "the mount"))
}

/// Whether the cover holds nothing: /dev/null, a fresh read-only tmpfs, or the service manager's "inaccessible" files.
fn empty(mount: &Mount) -> bool {
    let root = mount.root.as_bytes();
    let read_only = mount.options.as_bytes().split(|b| *b == b',').any(|option| option == b"ro");
    match mount.filesystem.as_bytes() {
        b"devtmpfs" => root == b"/null",
        b"tmpfs" => {
            root == b"/null"
                || root == b"/" && read_only
                || root.windows(14).any(|part| part == b"/inaccessible/")
        }
        _ => false,
    }
}

/// Where the mounted directory or file is found by its ordinary path, and whether a mount of calma's own namespace shows it.
fn origin(tables: &Tables, mount: &Mount) -> (Text, bool) {
    let shown =
        tables.of::<Mount>().filter(|other| other.own && !other.covered && other.device == mount.device);
    let path = |other: &Mount| {
        let (root, point) = (other.root.as_bytes(), other.point.as_bytes());
        let rest = mount.root.as_bytes().strip_prefix(root.strip_suffix(b"/").unwrap_or(root))?;
        let below = other.point != mount.point && rest.starts_with(b"/");
        below.then(|| Text::from([point.strip_suffix(b"/").unwrap_or(point), rest].concat()))
    };
    // The mount of the whole file system, or the nearest to it.
    match shown.filter_map(|other| Some((other.root.as_bytes().len(), path(other.fact)?))).min() {
        Some((_, path)) => (path, true),
        None => (mount.root.clone(), false),
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, Seen, check};

    const HOST: &str = "22 27 0:21 / /proc rw shared:5 - proc proc rw\n27 1 254:1 / / rw - ext4 /dev/vda1 rw\n\
        35 22 0:30 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n36 35 0:41 / /proc/sys/fs/binfmt_misc rw - binfmt_misc binfmt_misc rw\n\
        37 22 0:42 / /proc/fs/nfsd rw - nfsd nfsd rw\n";

    fn with(line: &str) -> Seen {
        let host = Mem::running()
            .symlink("/proc/self/ns/mnt", "mnt:[4026531841]")
            .file("/proc/self/mountinfo", format!("{HOST}{line}"));
        check(host)
    }

    #[test]
    fn covers_are_found_whatever_covers() {
        for (line, names) in [
            ("90 22 0:50 / /proc/4711 rw - tmpfs none rw\n", "/proc/4711"),
            ("90 22 0:21 /1 /proc/812 rw - proc proc rw\n", "/proc/812"),
            ("90 22 254:1 /var/lib/e /proc/99 rw - ext4 /dev/vda1 rw\n", "/proc/99"),
            ("90 22 0:21 / /proc/4711 rw - proc proc rw\n", "/proc/4711"),
            ("90 22 254:1 /srv/m /proc/modules rw - ext4 /dev/vda1 rw\n", "/proc/modules"),
            ("90 22 0:6 /null /proc/modules rw - devtmpfs udev rw\n", "/proc/modules"),
            ("90 22 0:50 /t /proc/12/net/tcp rw - tmpfs none rw\n", "/proc/12/net/tcp"),
            ("90 22 254:1 /tmp/k /proc/kallsyms rw - ext4 /dev/vda1 rw\n", "/proc/kallsyms"),
            ("90 22 0:55 / /proc/33 rw - fuse.lxcfs lxcfs rw\n", "/proc/33"),
            ("90 22 0:55 / /proc/loadavg rw - ext4 x rw\n", "/proc/loadavg"),
        ] {
            let seen = with(line);
            let found = seen.alarms("mount-over-proc");
            assert_eq!(found.len(), 1, "{line}");
            assert!(found[0].subjects.contains(&calma_record::Subject::Path(names.into())), "{found:?}");
        }
    }

    #[test]
    fn what_is_mounted_is_named_by_its_ordinary_path() {
        let seen = with(
            "80 27 0:50 / /run rw - tmpfs none rw\n90 22 0:50 /user/list /proc/modules rw - tmpfs none rw\n",
        );
        let found = seen.alarms("mount-over-proc");
        let path = calma_record::Subject::Path("/run/user/list".into());
        assert!(found[0].subjects.contains(&path), "{found:?}");
    }

    #[test]
    fn what_systems_and_container_managers_mount_below_proc_is_ordinary() {
        for line in [
            "",
            "90 22 0:21 /sys /proc/sys ro - proc proc rw\n91 22 0:21 /sysrq-trigger /proc/sysrq-trigger ro - proc proc rw\n",
            "90 22 0:55 /proc/cpuinfo /proc/cpuinfo rw - fuse.lxcfs lxcfs rw\n",
            "90 22 0:6 /null /proc/kcore rw - tmpfs tmpfs rw\n91 22 0:60 / /proc/acpi ro - tmpfs tmpfs ro\n92 22 0:60 / /proc/scsi ro - tmpfs tmpfs ro\n",
            "90 22 0:61 /systemd/inaccessible/reg /proc/kallsyms ro - tmpfs tmpfs rw\n91 22 0:61 /systemd/inaccessible/reg /proc/kmsg ro - tmpfs tmpfs rw\n",
        ] {
            assert!(with(line).by("mount-over-proc").is_empty(), "{line}");
        }
    }

    #[test]
    fn containers_beside_the_host_are_ordinary_and_a_hidden_process_there_is_not() {
        let container = "200 100 0:70 / /proc rw - proc proc rw\n201 200 0:71 /null /proc/keys rw - tmpfs tmpfs rw\n\
            202 200 0:70 /sys /proc/sys ro - proc proc rw\n203 200 254:1 /x/cpuinfo /proc/cpuinfo ro - ext4 /dev/vda1 rw\n";
        let host = |more: &str| {
            Mem::running()
                .symlink("/proc/self/ns/mnt", "mnt:[4026531841]")
                .file("/proc/self/mountinfo", HOST)
                .symlink("/proc/300/ns/mnt", "mnt:[4026532500]")
                .file("/proc/300/comm", "nginx\n")
                .file("/proc/300/mountinfo", format!("{container}{more}"))
        };
        assert!(check(host("")).alarms("mount-over-proc").is_empty());
        let seen = check(host("204 200 0:72 / /proc/7 rw - tmpfs none rw\n"));
        assert_eq!(seen.alarms("mount-over-proc").len(), 1);
    }

    #[test]
    fn a_cover_that_the_mount_table_hides_is_found_by_its_device_number() {
        let host = |device| {
            Mem::running()
                .file("/proc/self/mountinfo", HOST)
                .directory("/proc/4711")
                .directory("/proc/4712")
                .with("/proc", |meta| meta.device = 0x15)
                .with("/proc/self", |meta| meta.device = 0x15)
                .with("/proc/4711", |meta| meta.device = 0x15)
                .with("/proc/4712", |meta| meta.device = device)
        };
        assert!(check(host(0x15)).by("mount-over-proc").is_empty());
        let seen = check(host(0x32));
        let found = seen.alarms("mount-over-proc");
        assert_eq!(found.len(), 1);
        assert!(found[0].facts.iter().any(|fact| fact.contains("does not list it")));
    }
}
