//! Collector: what kind of system this is, and whether calma understands it.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, pids};
use calma_formats::os_release;
use calma_record::{Gap, Source, Text, Timestamp, kinds};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "system",
        doing: "Looking at the kind of system",
        doc: "distribution, package databases, init, container or virtual machine, clock",
        volatility: Volatility::Seconds,
        needs: Needs::Tree,
        patience: Duration::from_secs(5),
    },
    collect,
};

/// A package database and the path that gives it away.
const DATABASES: [(&str, &[u8]); 12] = [
    ("dpkg", b"/var/lib/dpkg/status"),
    ("dpkg", b"/var/lib/dpkg/status.d"),
    ("rpm", b"/var/lib/rpm"),
    ("rpm", b"/usr/lib/sysimage/rpm"),
    ("apk", b"/lib/apk/db/installed"),
    ("pacman", b"/var/lib/pacman/local"),
    ("portage", b"/var/db/pkg"),
    ("xbps", b"/var/db/xbps"),
    ("slackware", b"/var/lib/pkgtools/packages"),
    ("opkg", b"/usr/lib/opkg/status"),
    ("nix", b"/nix/store"),
    ("guix", b"/gnu/store"),
];

/// A kind of system: its name, `ID`s of os-release(5), paths that only it has.
struct Unusual(&'static str, &'static [&'static str], &'static [&'static str]);

/// Systems whose parts stand elsewhere or come as one image.
const UNUSUAL: [Unusual; 13] = [
    Unusual("NixOS", &["nixos"], &["/etc/NIXOS"]),
    Unusual("Guix System", &["guix"], &["/run/current-system/profile/bin/guix"]),
    Unusual(
        "an ostree system (Fedora CoreOS, Silverblue, …)",
        &[],
        &["/run/ostree-booted", "/ostree/repo", "/sysroot/ostree/repo"],
    ),
    Unusual("Flatcar Container Linux", &["flatcar", "coreos"], &[]),
    Unusual("Bottlerocket", &["bottlerocket"], &[]),
    Unusual("Talos Linux", &["talos"], &[]),
    Unusual("Container-Optimized OS", &["cos"], &[]),
    Unusual("Ubuntu Core", &["ubuntu-core"], &[]),
    Unusual("Clear Linux", &["clear-linux-os"], &[]),
    Unusual("OpenWrt", &["openwrt"], &["/etc/openwrt_release"]),
    Unusual("Home Assistant OS", &["haos", "hassos"], &[]),
    Unusual("Android", &["android"], &["/system/build.prop"]),
    Unusual("a storage appliance (Synology, Unraid, …)", &["unraid", "truenas"], &["/etc.defaults/VERSION"]),
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let there = |path: &[u8]| tree.meta(path).is_ok();
    let (place, release) = [&b"/etc/os-release"[..], b"/usr/lib/os-release"]
        .into_iter()
        .find_map(|path| Some((path, tree.read(path, 64 << 10).ok()?.bytes)))
        .unwrap_or((b"/etc/os-release", Vec::new()));
    let release = os_release::parse(&release);
    let field = |name: &[u8]| release.get(name).map(|value| Text::from(value.as_slice())).unwrap_or_default();
    let id = field(b"ID");
    let unusual = UNUSUAL
        .iter()
        .find(|Unusual(_, ids, paths)| {
            ids.iter().any(|name| id == *name) || paths.iter().any(|path| there(path.as_bytes()))
        })
        .map(|Unusual(name, ..)| (*name).to_owned())
        .unwrap_or_default();
    let mut packages: Vec<String> =
        DATABASES.iter().filter(|(_, path)| there(path)).map(|(name, _)| (*name).to_owned()).collect();
    packages.dedup();
    let kernel = context.host.kernel();
    let fact = kinds::System {
        like: field(b"ID_LIKE"),
        version: field(b"VERSION_ID"),
        name: field(b"PRETTY_NAME"),
        packages,
        init: kernel.map(|_| pids::name(context, 1)).unwrap_or_default(),
        container: container(context),
        machine: machine(context),
        understood: unusual.is_empty() && !id.is_empty(),
        kernel: kernel.map(|kernel| kernel.identity().release).unwrap_or_default(),
        booted: kernel.and_then(|_| booted(context)),
        clock: context.host.clock().now(),
        whole: kernel.is_some() && whole(context),
        unusual,
        id,
    };
    if !fact.unusual.is_empty() {
        let why = format!("this is {}, and calma does not understand how it is put together", fact.unusual);
        let gap = Gap::new("what this system is made of, and settings in its own places", why).at(place);
        out.gap(gap.instead("compare it with a fresh image of the same version").important())?;
    } else if fact.id.is_empty() && there(b"/etc") && !context.accounts().is_empty() {
        out.gap(Gap::new("which system this is", "it has no /etc/os-release"))?;
    }
    if kernel.is_some() && !fact.container.is_empty() {
        let why = "calma runs inside a container, which shows only its own part";
        out.gap(
            Gap::new("the machine around this container", why).instead("run calma on the machine itself"),
        )?;
    }
    out.fact(Source::file(place), fact)
}

/// What container this system is itself, by the marks that container managers leave (systemd-detect-virt(1)).
fn container(context: &Context) -> String {
    let tree = context.host.tree();
    // A mark is a file that anyone with root can leave; the first pid namespace is not inside a container.
    if whole(context) {
        return String::new();
    }
    let there = |path: &[u8]| tree.meta(path).is_ok();
    if there(b"/.dockerenv") {
        return "docker".to_owned();
    }
    if there(b"/run/.containerenv") {
        return "podman".to_owned();
    }
    if context.host.kernel().is_none() {
        return String::new();
    }
    let words = [b"/run/systemd/container".as_slice(), b"/proc/1/environ"].into_iter().find_map(|path| {
        let bytes = tree.read(path, 1 << 20).ok()?.bytes;
        if path.starts_with(b"/run") {
            return Some(bytes.trim_ascii().to_vec());
        }
        bytes.split(|b| *b == 0).find_map(|pair| pair.strip_prefix(b"container=").map(<[u8]>::to_vec))
    });
    let group = pids::group(context, 1);
    let contains = |part: &[u8]| group.as_bytes().windows(part.len()).any(|window| window == part);
    match words.as_deref() {
        Some(b"lxc" | b"lxc-libvirt") => "lxc",
        Some(b"systemd-nspawn") => "systemd-nspawn",
        Some(b"docker") => "docker",
        Some(b"podman") => "podman",
        Some(b"") | None if contains(b"kubepods") => "kubernetes",
        Some(b"") | None if contains(b"/docker") => "docker",
        Some(b"") | None => "",
        Some(_) => "other",
    }
    .to_owned()
}

/// The machine as its firmware names it.
fn machine(context: &Context) -> Text {
    let mut words = Vec::new();
    for name in ["sys_vendor", "product_name"] {
        let path = format!("/sys/class/dmi/id/{name}");
        if let Ok(content) = context.host.tree().read(path.as_bytes(), 256) {
            words.push(content.bytes.trim_ascii().to_vec());
        }
    }
    words.retain(|word| !word.is_empty());
    words.join(&b' ').into()
}

/// When the machine was booted (`btime` of /proc/stat).
fn booted(context: &Context) -> Option<Timestamp> {
    let stat = context.host.tree().read(b"/proc/stat", 4 << 20).ok()?.bytes;
    let line = stat.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"btime "))?;
    Some(Timestamp::new(calma_formats::lines::decimal(line.trim_ascii())?, 0))
}

/// Whether calma's pid namespace is the machine's first, whose inode number is fixed (linux/proc_ns.h).
fn whole(context: &Context) -> bool {
    pids::namespace(context, "self", "pid").is_ok_and(|namespace| namespace == 0xEFFF_FFFC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Item, Options};
    use calma_host::Mem;
    use calma_record::Fact;

    fn look(host: Mem) -> (kinds::System, Vec<Gap>) {
        let (mut system, mut gaps) = (kinds::System::default(), Vec::new());
        for item in crate::gather(&COLLECTOR, &Context::new(Arc::new(host), Options::default())) {
            match item {
                Item::Fact(_, fact) => {
                    if let Fact::System(row) = *fact {
                        system = row;
                    }
                }
                Item::Gap(gap) => gaps.push(gap),
                _ => {}
            }
        }
        (system, gaps)
    }

    #[test]
    fn debian_is_understood_and_nixos_says_so() {
        let host = Mem::new()
            .file("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n")
            .file("/var/lib/dpkg/status", "");
        let (system, gaps) = look(host);
        assert!(system.understood && gaps.is_empty());
        assert_eq!((system.version, system.packages), ("12".into(), vec!["dpkg".to_owned()]));
        for host in [
            Mem::new().file("/etc/os-release", "ID=nixos\n"),
            Mem::new().file("/etc/os-release", "ID=fedora\n").file("/run/ostree-booted", ""),
            Mem::new().file("/usr/lib/os-release", "ID=flatcar\n"),
        ] {
            let (system, gaps) = look(host);
            assert!(!system.understood && gaps.iter().any(|gap| gap.important), "{system:?}");
        }
    }

    #[test]
    fn a_container_says_that_it_is_one() {
        let host = Mem::running().file("/proc/1/environ", b"PATH=/bin\0container=systemd-nspawn\0");
        assert_eq!(look(host).0.container, "systemd-nspawn");
        let host = Mem::running().file("/proc/1/cgroup", "0::/kubepods.slice/pod1/abc\n");
        assert_eq!(look(host).0.container, "kubernetes");
    }
}
