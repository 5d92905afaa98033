//! Collector: containers, pods that the node starts itself, and settings of their engines.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, settings};
use calma_formats::{docker, lxc, oci, static_pod};
use calma_host::{join, parent, resolve};
use calma_record::{Gap, Source, Text, kinds};
use std::collections::BTreeMap;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "containers",
        doing: "Looking at containers",
        doc: "containers, static pods, and what container engines run on the host",
        volatility: Volatility::UntilReboot,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "settings of containers";
/// No more containers than this are looked at.
const MOST: usize = 4096;

/// Bundles with all their settings: the OCI runtimes' config.json. The directory's name, or that `up` directories above,
/// is the container's id.
const BUNDLES: &[(&str, &[u8], usize)] = &[
    ("containerd", b"/run/containerd/io.containerd.runtime.v2.task/*/*/config.json", 0),
    ("containerd", b"/run/k3s/containerd/io.containerd.runtime.v2.task/*/*/config.json", 0),
    (
        "containerd",
        b"/var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task/*/*/config.json",
        0,
    ),
    ("podman", b"/var/lib/containers/storage/overlay-containers/*/userdata/config.json", 1),
    ("podman", b"/run/containers/storage/overlay-containers/*/userdata/config.json", 1),
];
/// Running containers with the place of their bundle.
const STATES: &[(&str, &[u8])] = &[
    ("runc", b"/run/runc/*/state.json"),
    ("runc", b"/run/docker/runtime-runc/*/*/state.json"),
    ("runc", b"/run/containerd/runc/*/*/state.json"),
    ("crun", b"/run/crun/*/status"),
];
const OWN_BUNDLES: &[&[u8]] = &[b".local/share/containers/storage/overlay-containers/*/userdata/config.json"];
const LXC: &[&[u8]] = &[b"/var/lib/lxc/*/config", b"/var/log/lxd/*/lxc.conf", b"/var/log/incus/*/lxc.conf"];
const HOOKS: &[&[u8]] = &[
    b"/usr/share/containers/oci/hooks.d/*.json",
    b"/etc/containers/oci/hooks.d/*.json",
    b"/run/containers/oci/hooks.d/*.json",
];
const DAEMONS: &[&[u8]] = &[b"/etc/docker/daemon.json", b"/var/snap/docker/current/config/daemon.json"];
/// Where kubelets of kubeadm, k3s and rke2 find pods to start without being told by a cluster.
const PODS: &[&[u8]] = &[
    b"/etc/kubernetes/manifests/*",
    b"/etc/kubernetes/manifests/.*",
    b"/var/lib/rancher/k3s/agent/pod-manifests/*",
    b"/var/lib/rancher/rke2/agent/pod-manifests/*",
];

/// Containers by id, so that what several runtimes say of one is one fact.
#[derive(Default)]
struct Found(BTreeMap<Text, (Source, kinds::Container)>);

impl Found {
    fn add(&mut self, from: Source, row: kinds::Container) {
        if self.0.len() >= MOST {
            return;
        }
        match self.0.get_mut(&row.id) {
            Some((_, known)) => merge(known, row),
            None => drop(self.0.insert(row.id.clone(), (from, row))),
        }
    }
}

fn merge(known: &mut kinds::Container, row: kinds::Container) {
    for (mine, other) in [(&mut known.name, row.name), (&mut known.image, row.image)] {
        if mine.is_empty() {
            *mine = other;
        }
    }
    known.pid = known.pid.or(row.pid);
    known.started = known.started.or(row.started);
    if known.command.is_empty() {
        known.command = row.command;
    }
    known.privileged |= row.privileged;
    known.host_pid |= row.host_pid;
    known.host_network |= row.host_network;
    known.host_ipc |= row.host_ipc;
    known.user_namespace |= row.user_namespace;
    for (mine, other) in [
        (&mut known.writable, row.writable),
        (&mut known.readable, row.readable),
        (&mut known.devices, row.devices),
    ] {
        let new: Vec<Text> = other.into_iter().filter(|path| !mine.contains(path)).collect();
        mine.extend(new);
    }
    for (mine, other) in
        [(&mut known.capabilities, row.capabilities), (&mut known.unconfined, row.unconfined)]
    {
        let new: Vec<String> = other.into_iter().filter(|name| !mine.contains(name)).collect();
        mine.extend(new);
    }
}

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let mut found = Found::default();
    for path in settings::glob(tree, b"/var/lib/docker/containers/*/config.v2.json") {
        let Some(config) = settings::read(context, &path, WHAT, out)? else { continue };
        let host = settings::read(context, &join(parent(&path), b"hostconfig.json"), WHAT, out)?;
        match docker::container(&config, &host.unwrap_or_default()) {
            Some(mut row) => {
                row.id = parent(&path).rsplit(|b| *b == b'/').next().unwrap_or_default().into();
                row.path = path.as_slice().into();
                found.add(Source::file(path.as_slice()), row);
            }
            None => unreadable(&path, out)?,
        }
    }
    for (runtime, pattern, up) in BUNDLES {
        for path in settings::glob(tree, pattern) {
            let id = path.rsplit(|b| *b == b'/').nth(1 + up).unwrap_or_default();
            bundle(context, runtime, id.into(), &path, Source::file(path.as_slice()), &mut found, out)?;
        }
    }
    for home in settings::homes(context) {
        for pattern in OWN_BUNDLES {
            for path in settings::glob(tree, &join(&home.path, pattern)) {
                let id = path.rsplit(|b| *b == b'/').nth(2).unwrap_or_default();
                bundle(context, "podman", id.into(), &path, home.source(&path), &mut found, out)?;
            }
        }
    }
    for (runtime, pattern) in STATES {
        for path in settings::glob(tree, pattern) {
            state(context, runtime, &path, &mut found, out)?;
        }
    }
    storage_names(context, &mut found, out)?;
    for pattern in LXC {
        for path in settings::glob(tree, pattern) {
            let Some(text) = settings::read(context, &path, WHAT, out)? else { continue };
            let (mut row, hooks) = lxc::parse(&text);
            row.runtime = "lxc".to_owned();
            row.id = parent(&path).rsplit(|b| *b == b'/').next().unwrap_or_default().into();
            row.path = path.as_slice().into();
            for (line, command) in hooks {
                hook(context, &path, line, command, out)?;
            }
            found.add(Source::file(path.as_slice()), row);
        }
    }
    pods(context, &mut found, out)?;
    for (_, (from, mut row)) in found.0 {
        follow_links(context, &mut row);
        out.fact(from, row)?;
    }
    hooks_and_daemons(context, out)
}

fn unreadable(path: &[u8], out: &mut Out) -> Flow {
    out.gap(Gap::new(WHAT, "the file is not in the form that its program writes").at(path))
}

fn bundle(
    context: &Context,
    runtime: &str,
    id: Text,
    path: &[u8],
    from: Source,
    found: &mut Found,
    out: &mut Out,
) -> Flow {
    let Some(text) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    let Some(oci::Bundle { mut container, hooks }) = oci::bundle(&text) else { return unreadable(path, out) };
    (container.runtime, container.id, container.path) = (runtime.to_owned(), id, path.into());
    let pid = context.host.tree().read(&join(parent(path), b"init.pid"), 32).ok();
    container.pid = pid.and_then(|content| calma_formats::lines::decimal(content.bytes.trim_ascii()));
    found.add(from, container);
    for command in hooks {
        // What dockerd writes into every bundle: itself, to join the network.
        let own = command.as_bytes().starts_with(b"/proc/")
            && command.as_bytes().split(|b| *b == b' ').nth(1) == Some(b"libnetwork-setkey");
        if !own {
            hook(context, path, 1, command, out)?;
        }
    }
    out.flow()
}

/// A running container that may have been started by hand, from a bundle anywhere.
fn state(context: &Context, runtime: &str, path: &[u8], found: &mut Found, out: &mut Out) -> Flow {
    let Some(text) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    let Some((mut row, place)) = oci::state(&text) else { return unreadable(path, out) };
    let id: Text = parent(path).rsplit(|b| *b == b'/').next().unwrap_or_default().into();
    (row.runtime, row.id, row.path) = (runtime.to_owned(), id.clone(), path.into());
    found.add(Source::file(path), row);
    if place.as_bytes().starts_with(b"/") {
        let config = join(place.as_bytes(), b"config.json");
        bundle(context, runtime, id, &config, Source::file(config.as_slice()), found, out)?;
    }
    out.flow()
}

fn storage_names(context: &Context, found: &mut Found, out: &mut Out) -> Flow {
    const OWN: &[u8] = b".local/share/containers/storage/overlay-containers/containers.json";
    let mut lists = vec![b"/var/lib/containers/storage/overlay-containers/containers.json".to_vec()];
    lists.extend(settings::homes(context).iter().map(|home| join(&home.path, OWN)));
    for list in lists {
        let Some(text) = settings::read(context, &list, WHAT, out)? else { continue };
        for (id, name, image) in oci::names(&text) {
            if let Some((_, row)) = found.0.get_mut(&id) {
                merge(row, kinds::Container { name, image, ..kinds::Container::default() });
            }
        }
    }
    out.flow()
}

fn pods(context: &Context, found: &mut Found, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let mut paths: Vec<Vec<u8>> = PODS.iter().flat_map(|pattern| settings::glob(tree, pattern)).collect();
    let kubelet = settings::read(context, b"/var/lib/kubelet/config.yaml", WHAT, out)?;
    if let Some(place) = kubelet.and_then(|text| static_pod::place(&text)) {
        for pattern in [&b"*"[..], b".*"] {
            paths.extend(settings::glob(tree, &join(place.as_bytes(), pattern)));
        }
    }
    paths.sort();
    paths.dedup();
    for path in paths {
        if tree.meta_followed(&path).is_ok_and(|meta| meta.kind == calma_host::FileKind::Directory) {
            continue;
        }
        let Some(text) = settings::read(context, &path, WHAT, out)? else { continue };
        if let Some(mut row) = static_pod::parse(&text) {
            describe::file(context, &path, out)?;
            (row.runtime, row.id, row.path) =
                ("static pod".to_owned(), path.as_slice().into(), path.as_slice().into());
            found.add(Source::file(path.as_slice()), row);
        }
    }
    out.flow()
}

/// A mount of a link is a mount of what it leads to.
fn follow_links(context: &Context, row: &mut kinds::Container) {
    for list in [&mut row.writable, &mut row.readable] {
        let real = |path: &Text| resolve(context.host.tree(), path.as_bytes()).ok().map(Text::from);
        let new: Vec<Text> = list.iter().filter_map(real).filter(|path| !list.contains(path)).collect();
        list.extend(new);
    }
}

fn hooks_and_daemons(context: &Context, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    for path in HOOKS.iter().flat_map(|pattern| settings::glob(tree, pattern)) {
        let Some(text) = settings::read(context, &path, WHAT, out)? else { continue };
        match oci::hook(&text) {
            Some(command) => hook(context, &path, 1, command, out)?,
            None => unreadable(&path, out)?,
        }
    }
    for path in DAEMONS {
        let Some(text) = settings::read(context, path, WHAT, out)? else { continue };
        let Some(all) = docker::settings(path, &text) else {
            unreadable(path, out)?;
            continue;
        };
        for setting in all {
            if setting.name == "runtime" {
                describe::command(context, setting.value.as_bytes(), out)?;
            }
            out.fact(Source::file(*path), setting)?;
        }
    }
    out.flow()
}

fn hook(context: &Context, path: &[u8], line: u32, command: Text, out: &mut Out) -> Flow {
    describe::command(context, command.as_bytes(), out)?;
    describe::file(context, path, out)?;
    let (package, packages_known) = match context.packages().owner(path) {
        crate::Owner::Package(package) => (Some(package), true),
        crate::Owner::Nobody => (None, true),
        crate::Owner::Unknown => (None, false),
    };
    let fact = kinds::StartupCommand {
        mechanism: "container hook".to_owned(),
        path: path.into(),
        line,
        command,
        when: "whenever a container starts or ends".to_owned(),
        user: None,
        as_root: true,
        package,
        packages_known,
    };
    out.fact(Source::file(path), fact)
}
