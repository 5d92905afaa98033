//! Collector: whom the node's agent of Kubernetes takes orders from.

use crate::area::{Area, Found};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::kubelet as parse;
use calma_host::FileKind;
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "kubelet",
        doing: "Looking at the node's agent of Kubernetes",
        doc: "whom the kubelet takes orders from, in its settings and on its command line",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(10),
    },
    collect,
};

const WHAT: &str = "settings of the node's agent of Kubernetes";
const KUBELET: Area = Area("kubelet");
const CONFIG: &[&[u8]] = &[
    b"/var/lib/kubelet/config*",
    b"/var/lib/kubelet/*.y*ml",
    b"/etc/kubernetes/kubelet*",
    b"/etc/kubernetes/kubelet/*",
    b"/etc/kubernetes/kubelet.conf.d/*",
    b"/var/lib/rancher/*/agent/etc/kubelet.conf.d/*",
    b"/var/lib/k0s/kubelet-config.y*ml",
    b"/var/snap/microk8s/current/args/kubelet-config*",
];
const LINES: &[&[u8]] = &[
    b"/etc/default/kubelet*",
    b"/etc/sysconfig/kubelet*",
    b"/var/lib/kubelet/*.env",
    b"/etc/kubernetes/kubelet*",
    b"/etc/kubernetes/*.env",
    b"/etc/systemd/system/kubelet.service",
    b"/*/systemd/system/kubelet*.service.d/*",
    b"/usr/lib/systemd/system/kubelet*.service",
    b"/usr/*lib/systemd/system/kubelet*.service.d/*",
    b"/usr/local/lib/systemd/system/kubelet*.service.d/*",
    b"/run/systemd/system/kubelet*.service.d/*",
    b"/etc/rancher/*/config.y*ml",
    b"/etc/rancher/*/config.y*ml.d/*",
    b"/etc/systemd/system/k3s*.service*",
    b"/etc/systemd/system/k3s*.service.d/*",
    b"/etc/systemd/system/rke2*.service.d/*",
    b"/etc/default/k3s*",
    b"/var/snap/microk8s/current/args/kubelet",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let (mut configs, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for path in CONFIG.iter().flat_map(|pattern| settings::glob(tree, pattern)) {
        configs.insert(path);
    }
    for path in LINES.iter().flat_map(|pattern| settings::glob(tree, pattern)) {
        if !tree.meta_followed(&path).is_ok_and(|meta| meta.kind == FileKind::File)
            || !seen.insert(path.clone())
        {
            continue;
        }
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        for (line, name, value) in parse::flags(&bytes) {
            if name == "config" {
                configs.extend(value.as_bytes().starts_with(b"/").then(|| value.as_bytes().to_vec()));
            } else {
                put(context, &path, (line, name, value.as_bytes()), out)?;
            }
        }
    }
    for path in configs {
        if !tree.meta_followed(&path).is_ok_and(|meta| meta.kind == FileKind::File) {
            continue;
        }
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        for (line, name, value) in parse::config(&bytes) {
            put(context, &path, (line, name, value.as_bytes()), out)?;
        }
    }
    out.flow()
}

fn put(context: &Context, path: &[u8], (line, name, value): (u32, &str, &[u8]), out: &mut Out) -> Flow {
    KUBELET.put(context, path, &Found { line, name: name.as_bytes(), value, whom: b"" }, out)
}
