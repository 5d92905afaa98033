//! Detector: something mounted over a file or directory of the system, which hides what is beneath.

use crate::weigh::{is_below, is_open};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, Text, kinds::Mount, kinds::System};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "mount-over-system",
        doc: "Something is mounted over a file or directory of the system: programs see the cover, the file beneath stays as it was.",
        mechanisms: &[16, 17],
        attack: &["T1564", "T1564.013", "T1036"],
        why: "The file beneath looks untouched to whoever compares files from outside, while every program here reads or runs the cover.",
        innocent: "you or a program for containers mounted it there on purpose",
        next: "keep copies of the cover and of what it was made from; look beneath from another kernel before you unmount it",
    },
    judge,
};

/// Directories of programs and settings.
const SYSTEM: [&[u8]; 11] = [
    b"/etc",
    b"/usr",
    b"/bin",
    b"/sbin",
    b"/lib",
    b"/lib32",
    b"/lib64",
    b"/boot",
    b"/root",
    b"/var/spool/cron",
    b"/var/lib/dpkg",
];
/// Mount points of their own on ordinary systems.
const ORDINARY: [&[u8]; 12] = [
    b"/usr",
    b"/usr/local",
    b"/usr/src",
    b"/usr/share",
    b"/boot",
    b"/boot/efi",
    b"/boot/firmware",
    b"/root",
    b"/etc/pve",
    b"/usr/lib/modules",
    b"/lib/modules",
    b"/usr/portage",
];
/// Where container managers and tests mount single files.
const ELSEWHERE: [&[u8]; 13] = [
    b"/proc",
    b"/sys",
    b"/dev",
    b"/run",
    b"/var/run",
    b"/snap",
    b"/var/snap",
    b"/var/lib",
    b"/mnt",
    b"/media",
    b"/tmp",
    b"/var/cache",
    b"/home/linuxbrew",
];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let system = tables.of::<System>().find(|system| !system.container.is_empty());
    let own: Vec<Row<'_, Mount>> = tables.of::<Mount>().filter(|mount| mount.own && mount.listed).collect();
    for mount in &own {
        if mount.itself {
            continue;
        }
        let source = own.iter().filter_map(|other| visible(mount, other)).min();
        // In a container only what was made from its own files was made inside.
        let booted = system.is_some_and(|system| system.init.as_bytes().ends_with(b"systemd"));
        let inside = source.is_some() || (booted && mount.root == "/" && mount.filesystem == "tmpfs");
        if system.is_some() && !inside {
            continue;
        }
        if let Some((severity, saw)) = weigh(mount.fact) {
            drafts.push(draft(mount, severity, saw, source));
        }
    }
}

/// The path at which what is mounted can be seen through another mount of the same file system.
fn visible(mount: &Mount, other: &Mount) -> Option<Text> {
    if other.device != mount.device || other.point == mount.point {
        return None;
    }
    let root = other.root.as_bytes();
    let root = root.strip_suffix(b"/").unwrap_or(root);
    let rest = mount.root.as_bytes().strip_prefix(root)?;
    if !rest.starts_with(b"/") || rest.len() < 2 {
        return None;
    }
    let point = other.point.as_bytes();
    Some([point.strip_suffix(b"/").unwrap_or(point), rest].concat().into())
}

/// How bad a mount at this point is, and what makes it so.
fn weigh(mount: &Mount) -> Option<(Severity, &'static str)> {
    let point = mount.point.as_bytes();
    let below = |places: &[&[u8]]| places.iter().any(|place| is_below(point, place));
    let kind = mount.filesystem.as_bytes();
    if mount.what == "file" && !below(&ELSEWHERE) {
        return match point {
            // Made at boot where the root can not be written.
            b"/etc/machine-id" => None,
            b"/etc/resolv.conf" | b"/etc/hosts" | b"/etc/hostname" if !is_open(mount.root.as_bytes()) => {
                Some((Severity::Low, "a file of the network's settings is covered by another"))
            }
            _ if mount.configured => {
                Some((Severity::Low, "a file is covered by another; settings ask for it"))
            }
            _ => Some((Severity::High, "a single file is covered by another")),
        };
    }
    if below(&[b"/sys"]) && matches!(kind, b"tmpfs" | b"ramfs" | b"overlay" | b"ext4" | b"xfs" | b"btrfs") {
        let cgroups = point == b"/sys/fs/cgroup";
        return (!cgroups).then_some((Severity::Medium, "a directory of the kernel's own view is covered"));
    }
    if !below(&SYSTEM) || mount.what == "file" || mount.configured {
        return None;
    }
    let whole = mount.root == "/" || (kind == b"btrfs" || kind == b"zfs");
    let made =
        matches!(kind, b"tmpfs" | b"ramfs" | b"overlay" | b"aufs" | b"fuse.overlayfs" | b"fuse.unionfs");
    if ORDINARY.contains(&point) && whole && !made {
        return None;
    }
    // Extensions of the system, which the service manager lays over it (systemd-sysext(8)).
    if matches!(mount.source.as_bytes(), b"sysext" | b"confext") || kind == b"squashfs" || kind == b"erofs" {
        return None;
    }
    match (whole, made) {
        (true, false) => Some((Severity::Low, "another file system stands at a directory of the system")),
        (true, true) => Some((
            Severity::Medium,
            "files that are in memory or laid together cover a directory of the system",
        )),
        (false, _) => Some((Severity::High, "another directory covers a directory of the system")),
    }
}

fn draft(mount: &Row<'_, Mount>, severity: Severity, saw: &str, source: Option<Text>) -> Draft {
    let certainty = if severity >= Severity::High { Certainty::Likely } else { Certainty::Possible };
    let identity = [mount.point.as_bytes(), b"\0", mount.root.as_bytes()].concat();
    let title = format!("Something is mounted over {}", mount.point);
    let mut draft = Draft::new(severity, certainty, identity, title)
        .path(&mount.point)
        .saw(saw)
        .saw(format!(
            "{} of a {} file system ({}) stands at {}",
            mount.root, mount.filesystem, mount.source, mount.point
        ))
        .from(mount, "the mount");
    if let Some(source) = source {
        draft = draft.saw(format!("what is seen there is {source}")).path(&source);
    }
    if !mount.configured {
        draft = draft.saw("neither /etc/fstab nor a mount unit asks for it");
    }
    draft
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, Seen, check};

    const HOST: &str = "22 27 0:21 / /proc rw shared:5 - proc proc rw\n27 1 254:1 / / rw - ext4 /dev/vda1 rw\n\
        30 27 0:25 / /tmp rw - tmpfs tmpfs rw\n31 27 254:2 / /boot rw - ext4 /dev/vda2 rw\n32 31 254:3 / /boot/efi rw - vfat /dev/vda3 rw\n\
        33 27 0:26 / /run rw - tmpfs tmpfs rw\n34 27 0:27 / /sys rw - sysfs sysfs rw\n35 34 0:28 / /sys/kernel/debug rw - debugfs d rw\n36 34 0:29 / /sys/fs/cgroup rw - cgroup2 c rw\n";

    fn with(line: &str, container: bool) -> Seen {
        let mut host = Mem::running()
            .symlink("/proc/self/ns/mnt", "mnt:[4026531841]")
            .file("/proc/self/mountinfo", format!("{HOST}{line}"))
            .file("/proc/1/comm", "systemd\n")
            .file("/usr/bin/ps", "x")
            .file("/etc/passwd", "root:x:0:0::/root:/bin/sh\n")
            .file("/opt/app/run", "x")
            .directory("/etc/cron.d")
            .directory("/usr/lib/x")
            .directory("/sys/module/m")
            .file("/etc/hosts", "");
        if container {
            host = host
                .file("/run/systemd/container", "systemd-nspawn\n")
                .symlink("/proc/1/ns/pid", "pid:[4026532999]");
        }
        check(host)
    }

    #[test]
    fn covers_are_found() {
        for (line, names) in [
            ("90 27 0:25 /ps /usr/bin/ps rw - tmpfs tmpfs rw\n", "/tmp/ps"),
            ("90 27 254:1 /var/lib/e/p /etc/passwd rw - ext4 /dev/vda1 rw\n", "/var/lib/e/p"),
            ("90 27 254:1 /srv/r /opt/app/run rw - ext4 /dev/vda1 rw\n", "/opt/app/run"),
            ("90 27 254:1 /srv/c /etc/cron.d rw - ext4 /dev/vda1 rw\n", "/srv/c"),
            ("90 27 0:50 / /usr/lib/x rw - tmpfs none rw\n", "/usr/lib/x"),
            ("90 27 0:50 / /etc/cron.d rw - overlay overlay rw,lowerdir=/a\n", "/etc/cron.d"),
            ("90 34 0:50 / /sys/module/m rw - tmpfs none rw\n", "/sys/module/m"),
        ] {
            let seen = with(line, false);
            let found = seen.alarms("mount-over-system");
            assert_eq!(found.len(), 1, "{line}: {:#?}", seen.findings);
            assert!(found[0].subjects.contains(&calma_record::Subject::Path(names.into())), "{found:#?}");
        }
        let inside = with("90 27 0:25 /ps /usr/bin/ps rw - tmpfs tmpfs rw\n", true);
        assert_eq!(inside.alarms("mount-over-system").len(), 1, "{:#?}", inside.findings);
    }

    #[test]
    fn ordinary_mounts_are_no_alarm() {
        for line in [
            "",
            "90 27 254:9 / /usr rw - ext4 /dev/vdb1 rw\n91 27 0:60 / /etc/pve rw - fuse /dev/fuse rw\n",
            "90 27 254:1 /etc /etc ro - ext4 /dev/vda1 rw\n",
            "90 33 0:4 mnt:[4026532500] /run/snapd/ns/x.mnt rw - nsfs nsfs rw\n",
            "90 27 0:60 / /usr ro - overlay sysext ro\n",
        ] {
            assert!(with(line, false).alarms("mount-over-system").is_empty(), "{line}");
        }
        // What a container manager gives a container comes from files that are not the container's.
        let given = "90 27 8:1 /srv/app.conf /etc/hosts rw - ext4 /dev/sda1 rw\n91 27 8:1 /v/ps /usr/bin/ps rw - ext4 /dev/sda1 rw\n";
        assert!(with(given, true).by("mount-over-system").is_empty());
    }
}
