//! Images of infrastructure that ordinarily reaches into the host.

use calma_record::Text;

/// Registries that serve the images below; a name without one means Docker's.
const REGISTRIES: &[&[u8]] = &[
    b"docker.io/",
    b"index.docker.io/",
    b"quay.io/",
    b"ghcr.io/",
    b"registry.k8s.io/",
    b"k8s.gcr.io/",
    b"gcr.io/",
    b"public.ecr.aws/",
    b"mcr.microsoft.com/",
    b"registry.gitlab.com/",
    b"lscr.io/",
    b"cr.l5d.io/",
];

/// Image names that are monitoring, ingress, builds, or the cluster itself: the whole name, or its owner with a slash.
const KNOWN: &[&[u8]] = &[
    b"portainer/",
    b"library/traefik",
    b"traefik",
    b"containrrr/watchtower",
    b"nickfedor/watchtower",
    b"cadvisor/cadvisor",
    b"google/cadvisor",
    b"prom/",
    b"prometheus/",
    b"datadog/",
    b"grafana/",
    b"library/docker",
    b"docker",
    b"kube-proxy",
    b"calico/",
    b"cilium/",
    b"gitlab/gitlab-runner",
    b"gitlab-org/gitlab-runner/",
    b"etcd",
    b"kube-apiserver",
    b"kube-controller-manager",
    b"kube-scheduler",
    b"kube-vip/",
    b"pause",
    b"flannel/",
    b"flannelcni/",
    b"longhornio/",
    b"falcosecurity/",
    b"sysdig/",
    b"newrelic/",
    b"elastic/",
    b"beats/",
    b"netdata/netdata",
    b"nginxproxy/",
    b"jwilder/",
    b"sig-storage/",
    b"nvidia/",
    b"metallb/",
    b"openebs/",
    b"rook/",
    b"ceph/",
    b"weaveworks/",
    b"rancher/",
    b"telegraf",
    b"library/telegraf",
    b"zabbix/",
    b"crowdsecurity/",
    b"lucaslorentz/caddy-docker-proxy",
    b"gitea/act_runner",
    b"drone/",
    b"woodpeckerci/",
    b"homeassistant/",
    b"home-assistant/",
    b"linuxserver/",
    b"amir20/dozzle",
    b"louislam/",
    b"tecnativa/docker-socket-proxy",
    b"kubevirt/",
    b"kindest/",
    b"k3s-io/",
    b"fluent/",
    b"timberio/vector",
    b"kured/",
    b"weaveworks/kured",
];

/// Whether all images in a list with commas are such. Their names are what whoever started them says.
pub(super) fn is_infrastructure(images: &Text) -> bool {
    !images.is_empty()
        && images.as_bytes().split(|b| *b == b',').all(|image| {
            let mut name = image.trim_ascii();
            if let Some(rest) = REGISTRIES.iter().find_map(|registry| name.strip_prefix(*registry)) {
                name = rest;
            }
            let end = name.iter().position(|b| matches!(b, b':' | b'@')).unwrap_or(name.len());
            let name = name.get(..end).unwrap_or_default();
            KNOWN.iter().any(|known| name == *known || (known.ends_with(b"/") && name.starts_with(known)))
        })
}
