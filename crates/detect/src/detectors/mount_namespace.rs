//! Detector: a process that made a view of files of its own, in which programs or settings are other ones.

use crate::weigh::{Processes, identity, is_below, who};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, Text, kinds::Mount, kinds::Process};
use std::collections::{BTreeMap, BTreeSet};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "mount-namespace",
        doc: "A process that is no container and no service's sandbox sees other files than everybody else, or such a view is kept without a process.",
        mechanisms: &[16],
        attack: &["T1564", "T1611"],
        why: "What is mounted there, programs and stolen files among it, is seen by this process alone.",
        innocent: "a tool of yours that builds packages or images works in a view of its own",
        next: "look at its files through /proc/PID/root before the process ends; they vanish with it",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let processes = Processes::new(tables);
    let mut views: BTreeMap<u64, Vec<Row<'_, Mount>>> = BTreeMap::new();
    for mount in tables.of::<Mount>().filter(|mount| !mount.own && mount.namespace != 0) {
        views.entry(mount.namespace).or_default().push(mount);
    }
    for (namespace, mut mounts) in views {
        mounts.sort_by(|a, b| (&a.point, a.id).cmp(&(&b.point, b.id)));
        let inside: Vec<Row<'_, Process>> =
            processes.others().filter(|process| process.mount_namespace == Some(namespace)).collect();
        let Some(first) = inside.iter().min_by_key(|process| (process.start_ticks, process.pid)) else {
            continue;
        };
        if inside.iter().any(|process| is_managed(process)) || began_by_manager(&processes, first, namespace)
        {
            continue;
        }
        view(&inside, first, &mounts, drafts);
    }
    kept(tables, &processes, drafts);
}

/// Containers, snaps and their kind.
fn is_managed(process: &Process) -> bool {
    let group = process.cgroup.to_string();
    let parts = [
        "docker",
        "libpod",
        "kubepods",
        "lxc",
        "machine.slice",
        "machine-",
        "snap.",
        "flatpak",
        "containerd",
        "crio",
        "buildkit",
        "garden",
        "nspawn",
        "podman",
        "conmon",
    ];
    process.container.is_some() || parts.iter().any(|part| group.contains(part))
}

/// Whether the service manager put the process there: its child lives in the same view, as the sandbox of a service does.
fn began_by_manager(processes: &Processes<'_>, first: &Process, namespace: u64) -> bool {
    let mut process = first;
    for _ in 0..64 {
        if process.parent <= 1 || process.parent == 2 {
            break;
        }
        let Some(parent) = processes.get(process.parent) else { break };
        process = parent.fact;
    }
    let service = process.unit.as_ref().is_some_and(|unit| unit.as_bytes().ends_with(b".service"));
    let manager = process.parent <= 1;
    service && manager && process.mount_namespace == Some(namespace)
}

fn view(
    inside: &[Row<'_, Process>],
    first: &Row<'_, Process>,
    mounts: &[Row<'_, Mount>],
    drafts: &mut Vec<Draft>,
) {
    let mut reasons = BTreeMap::new();
    for mount in mounts.iter().filter(|mount| !mount.itself) {
        if let Some(reason) = telling(mount.fact, mounts) {
            reasons.entry(&mount.fact.point).or_insert((reason, mount));
        }
    }
    // A program that stands on what is mounted there alone.
    let mut programs: BTreeSet<&Text> = BTreeSet::new();
    for process in inside {
        let Some(program) = &process.fact.program else { continue };
        let holder = mounts.iter().filter(|mount| {
            mount.point != "/" && is_below(program.as_bytes(), mount.point.as_bytes()) && !mount.itself
        });
        let alone = holder
            .filter(|mount| mount.filesystem != "proc")
            .max_by_key(|mount| mount.point.as_bytes().len());
        if alone.is_some_and(|mount| number(process.device) == mount.device.to_string()) {
            programs.insert(program);
        }
    }
    if reasons.is_empty() && programs.is_empty() {
        return;
    }
    // An ordinary user can make a view of his own without any right (user_namespaces(7)); sandboxes do.
    let root = inside.iter().any(|process| process.uids.first() == Some(&0));
    let severity = if root { Severity::Medium } else { Severity::Info };
    let title = format!("Process {} (\"{}\") sees other files than everybody else", first.pid, first.name);
    let mut draft = Draft::new(severity, Certainty::Likely, identity(first.fact), title)
        .saw(who(first.fact))
        .from(first, "the process");
    for process in inside.iter().take(16) {
        draft = draft.pid(process.pid);
    }
    for program in programs.iter().take(4) {
        draft = draft
            .saw(format!("{program} runs, and stands on what is mounted in that view alone"))
            .path(program);
    }
    for (point, (reason, mount)) in reasons.iter().take(6) {
        draft = draft.saw(reason.clone()).path(point).from(*mount, "the mount");
        if mount.root != "/" {
            draft = draft.path(&mount.fact.root);
        }
    }
    drafts.push(draft);
}

/// A mount over programs or settings.
fn telling(mount: &Mount, all: &[Row<'_, Mount>]) -> Option<String> {
    let point = mount.point.as_bytes();
    let places: [&[u8]; 12] = [
        b"/etc",
        b"/usr",
        b"/bin",
        b"/sbin",
        b"/lib",
        b"/lib64",
        b"/boot",
        b"/root",
        b"/home",
        b"/opt",
        b"/srv",
        b"/var/log",
    ];
    let system = places.iter().any(|place| is_below(point, place));
    // ip-netns(8) brings a network namespace's own settings along; a new root is a change of everything.
    let ordinary =
        is_below(mount.root.as_bytes(), b"/etc/netns") || all.iter().any(|mount| mount.point == "/");
    if !system || ordinary {
        return None;
    }
    Some(format!("{} of a {} file system stands at {} there", mount.root, mount.filesystem, mount.point))
}

/// Views that a mount keeps although no process lives in them.
fn kept(tables: &Tables, processes: &Processes<'_>, drafts: &mut Vec<Draft>) {
    let lived: BTreeSet<u64> = processes.others().filter_map(|process| process.mount_namespace).collect();
    for mount in tables.of::<Mount>().filter(|mount| mount.own && mount.filesystem == "nsfs") {
        let root = mount.root.to_string();
        let number = root.strip_prefix("mnt:[").and_then(|rest| rest.strip_suffix(']')?.parse::<u64>().ok());
        let Some(number) = number else { continue };
        let places: [&[u8]; 6] = [
            b"/run/snapd",
            b"/run/docker",
            b"/run/containerd",
            b"/run/containers",
            b"/var/run/crio",
            b"/run/crio",
        ];
        if lived.contains(&number) || places.iter().any(|place| is_below(mount.point.as_bytes(), place)) {
            continue;
        }
        let title = format!("A view of files is kept at {} without any process in it", mount.point);
        drafts.push(
            Draft::new(Severity::Medium, Certainty::Possible, mount.point.as_bytes(), title)
                .saw(format!("the mount namespace {number} is held by this name alone"))
                .path(&mount.point)
                .next("look into it with nsenter, from a shell you can lose; what is mounted there is on no other path")
                .from(&mount, "the mount"),
        );
    }
}

/// A device number as mount tables write it (makedev(3)).
fn number(device: Option<u64>) -> String {
    let device = device.unwrap_or(0);
    let major = ((device >> 32) & 0xffff_f000) | ((device >> 8) & 0xfff);
    let minor = ((device >> 12) & 0xffff_ff00) | (device & 0xff);
    format!("{major}:{minor}")
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, Seen, Specimen, check, running};

    const HOST: &str = "22 27 0:21 / /proc rw - proc proc rw\n27 1 254:1 / / rw - ext4 /dev/vda1 rw\n";

    fn with(group: &str, parent: u32, mounts: &str, own: &str) -> Seen {
        let host: Mem = running(&["/usr/sbin/sshd", "/usr/bin/sleep"])
            .symlink("/proc/self/ns/mnt", "mnt:[4026531841]")
            .file("/proc/self/mountinfo", format!("{HOST}{own}"));
        let host =
            Specimen::new(50, "sshd").program("/usr/sbin/sshd").cgroup("/system.slice/ssh.service").on(host);
        let host = Specimen::new(60, "sleep").program("/usr/bin/sleep").parent(parent).cgroup(group).on(host);
        let copied = HOST.replace("22 27", "122 127").replace("27 1 ", "127 1 ");
        check(
            host.symlink("/proc/1/ns/mnt", "mnt:[4026531841]")
                .symlink("/proc/50/ns/mnt", "mnt:[4026531841]")
                .symlink("/proc/60/ns/mnt", "mnt:[4026532900]")
                .file("/proc/60/mountinfo", format!("{copied}{mounts}")),
        )
    }

    #[test]
    fn views_of_a_process_of_its_own_are_found() {
        for (group, mounts) in [
            ("/system.slice/ssh.service", "200 127 0:77 / /usr/lib/x rw - tmpfs none rw\n"),
            (
                "/user.slice/user-0.slice/session-1.scope",
                "200 127 254:1 /srv/p /etc/passwd rw - ext4 /dev/vda1 rw\n",
            ),
            ("/", "200 127 0:77 / /var/log rw - tmpfs none rw\n"),
        ] {
            let seen = with(group, 50, mounts, "");
            let found = seen.alarms("mount-namespace");
            assert_eq!(found.len(), 1, "{group}: {:#?}", seen.findings);
            assert!(found[0].subjects.contains(&calma_record::Subject::Pid(60)));
        }
        let kept = with("/", 50, "", "90 27 0:4 mnt:[4026532999] /var/tmp/n rw - nsfs nsfs rw\n");
        assert_eq!(kept.alarms("mount-namespace").len(), 1);
    }

    #[test]
    fn sandboxes_containers_and_networks_are_no_alarm() {
        let tmp = "200 127 254:1 /tmp/systemd-private-x/tmp /tmp rw - ext4 /dev/vda1 rw\n201 127 0:77 / /home ro - tmpfs none ro\n";
        for (group, parent, mounts) in [
            ("/system.slice/systemd-logind.service", 1, tmp),
            ("/system.slice/docker-abc.scope", 50, tmp),
            (
                "/system.slice/ssh.service",
                50,
                "200 127 254:1 /etc/netns/a/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda1 rw\n",
            ),
            ("/system.slice/ssh.service", 50, "200 127 0:77 / /tmp rw - tmpfs none rw\n"),
        ] {
            let seen = with(group, parent, mounts, "90 27 0:4 mnt:[4026532900] /run/x rw - nsfs nsfs rw\n");
            assert!(seen.by("mount-namespace").is_empty(), "{group}: {:#?}", seen.findings);
        }
    }
}
