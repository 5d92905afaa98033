//! How far a container reaches into the host.

use crate::entry::add;
use crate::weigh::{Weight, is_below};
use calma_record::{Severity, Text, kinds::Container};

/// Who may write below these can make the host run what he likes (hier(7), cron(8), systemd.unit(5), pam(8)).
const STARTS: &[&[u8]] = &[
    b"/boot",
    b"/etc/systemd",
    b"/etc/ssh",
    b"/etc/sudoers",
    b"/etc/sudoers.d",
    b"/etc/pam.d",
    b"/etc/security",
    b"/etc/passwd",
    b"/etc/shadow",
    b"/etc/group",
    b"/etc/gshadow",
    b"/etc/profile",
    b"/etc/profile.d",
    b"/etc/bash.bashrc",
    b"/etc/init.d",
    b"/etc/rc.local",
    b"/etc/udev",
    b"/etc/ld.so.preload",
    b"/etc/ld.so.conf.d",
    b"/etc/crontab",
    b"/etc/cron.d",
    b"/etc/cron.daily",
    b"/etc/cron.hourly",
    b"/etc/cron.weekly",
    b"/etc/cron.monthly",
    b"/etc/kubernetes/manifests",
    b"/var/spool/cron",
    b"/var/spool/at",
    b"/root/.ssh",
    b"/root/.bashrc",
    b"/root/.profile",
    b"/root/.config",
    b"/usr/lib/systemd",
    b"/lib/systemd",
    b"/etc/modprobe.d",
    b"/etc/modules-load.d",
    b"/etc/apt",
];
/// As a whole these hold what runs on the host; single things below them are ordinarily given to containers.
const WHOLE: &[&[u8]] = &[
    b"/etc",
    b"/root",
    b"/usr",
    b"/usr/bin",
    b"/usr/sbin",
    b"/usr/lib",
    b"/usr/lib64",
    b"/usr/local",
    b"/usr/local/bin",
    b"/usr/local/sbin",
    b"/bin",
    b"/sbin",
    b"/lib",
    b"/lib64",
    b"/var",
    b"/var/lib",
    b"/var/spool",
    b"/etc/cron",
    b"/etc/kubernetes",
];
/// Sockets over which an engine takes orders; whoever may give them is root. A read-only mount does not hinder that.
const SOCKETS: &[&[u8]] =
    &[b"docker.sock", b"containerd.sock", b"podman.sock", b"crio.sock", b"cri-dockerd.sock"];
/// Secrets of the host.
const SECRETS: &[&[u8]] = &[b"/etc/shadow", b"/etc/gshadow", b"/etc", b"/root", b"/root/.ssh", b"/etc/ssh"];

/// A path without doubled slashes, dots, and detours through /proc.
fn plain(path: &Text) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.as_bytes().split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            _ => parts.push(part),
        }
        // /proc/PID/root and /proc/PID/cwd lead anywhere: the former to the root itself.
        if let [b"proc", _, b"root"] = parts.as_slice() {
            parts.clear();
        }
    }
    [b"/", parts.join(&b'/').as_slice()].concat()
}

/// Whether it may write the host's root directory.
pub(super) fn writes_root(row: &Container) -> bool {
    row.writable.iter().any(|path| plain(path) == b"/")
}

fn socket(path: &[u8]) -> bool {
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    SOCKETS.contains(&name) || matches!(path, b"/run" | b"/var/run")
}

/// Whether its first program is a shell, or one that enters the host, rather than what its image is for.
pub(super) fn is_shell(row: &Container) -> bool {
    let first = row.command.first().map(Text::file_name).unwrap_or_default();
    [
        &b"sh"[..],
        b"bash",
        b"ash",
        b"dash",
        b"zsh",
        b"busybox",
        b"nsenter",
        b"chroot",
        b"sleep",
        b"tail",
        b"python3",
        b"perl",
    ]
    .contains(&first)
}

/// Whether a word of its command enters other namespaces or another root.
fn enters(row: &Container) -> bool {
    row.command.iter().any(|word| {
        let parts = word.as_bytes().split(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'-' | b'_'));
        parts.into_iter().any(|part| matches!(part, b"nsenter" | b"chroot"))
    })
}

/// Disks and memory as a whole.
fn whole_device(path: &[u8]) -> bool {
    let Some(name) = path.strip_prefix(b"/dev/") else { return false };
    let begins =
        [&b"sd"[..], b"vd", b"xvd", b"nvme", b"dm-", b"mapper/", b"md", b"disk/", b"mmcblk", b"root"];
    matches!(name, b"mem" | b"kmem" | b"port") || begins.iter().any(|begin| name.starts_with(begin))
}

/// What its reach weighs, whatever its image.
pub(super) fn weigh(row: &Container) -> Weight {
    let mut weight = Weight::default();
    let (root, mut orders) = (writes_root(row), false);
    for path in row.writable.iter().chain(&row.readable) {
        if socket(&plain(path)) {
            orders = true;
            let reason =
                format!("it may command the container engine through {path}, and so start anything as root");
            add(&mut weight, Severity::Medium, reason);
        }
    }
    for path in &row.writable {
        let real = plain(path);
        let starts = STARTS.iter().any(|start| is_below(&real, start));
        let reason = format!("it may write {path} of the host");
        if real == b"/" || starts || WHOLE.contains(&real.as_slice()) {
            add(&mut weight, Severity::High, reason);
        } else if matches!(
            real.as_slice(),
            b"/proc"
                | b"/proc/sys"
                | b"/proc/sys/kernel"
                | b"/var/lib/docker"
                | b"/var/lib/containerd"
                | b"/var/lib/kubelet"
        ) || (real.starts_with(b"/home/") && real.ends_with(b"/.ssh"))
        {
            add(&mut weight, Severity::Medium, reason);
        } else {
            continue;
        }
        weight.paths.push(path.clone());
    }
    for path in &row.readable {
        let real = plain(path);
        if real == b"/" || SECRETS.contains(&real.as_slice()) {
            add(&mut weight, Severity::Low, format!("it may read {path} of the host"));
            weight.paths.push(path.clone());
        }
    }
    let has = |name: &str| row.capabilities.iter().any(|had| had == name || had == "ALL");
    if !row.privileged {
        for path in row.devices.iter().filter(|path| whole_device(&plain(path))) {
            add(
                &mut weight,
                Severity::High,
                format!("it has the device {path} of the host, with all that is on it"),
            );
            weight.paths.push(path.clone());
        }
    }
    if row.privileged {
        let severity = if row.host_pid || root || orders { Severity::High } else { Severity::Medium };
        add(&mut weight, severity, "it is privileged: all rights, all devices, no filter of system calls");
    } else if has("ALL") || has("SYS_MODULE") && has("SYS_ADMIN") {
        add(
            &mut weight,
            Severity::Medium,
            "it has all capabilities of root, or those to load code into the kernel",
        );
    } else if let Some(name) = row.capabilities.iter().find(|name| {
        matches!(name.as_str(), "SYS_ADMIN" | "SYS_MODULE" | "SYS_RAWIO" | "DAC_READ_SEARCH" | "BPF")
    }) {
        let severity = if row.host_pid { Severity::Medium } else { Severity::Low };
        add(&mut weight, severity, format!("it has the capability {name}"));
    }
    if row.host_pid {
        let severity = if has("SYS_PTRACE") && !row.privileged { Severity::Medium } else { Severity::Info };
        add(&mut weight, severity, "it sees and may signal the host's processes");
    }
    let way =
        row.privileged || has("SYS_ADMIN") || root || row.readable.iter().any(|path| plain(path) == b"/");
    if enters(row) && way {
        add(&mut weight, Severity::High, "its command leaves the container for the host");
    }
    if weight.severity >= Some(Severity::Low) {
        for guard in &row.unconfined {
            add(&mut weight, Severity::Info, format!("{guard} does not confine it"));
        }
    }
    weight
}
