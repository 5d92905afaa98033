//! Detector: the node's agent of Kubernetes takes orders from anybody.

use crate::weigh::{self, Weight};
use crate::{Card, Detector, Draft, Tables, entry};
use calma_record::{Severity, Text, kinds::SystemSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "kubelet",
        doc: "The node's agent of Kubernetes (kubelet, k3s, RKE2) asks nobody for a proof, allows everything, or takes pods from a hidden place.",
        mechanisms: &[104],
        attack: &["T1609", "T1610", "T1133"],
        why: "Whoever reaches its port runs commands in every container of this node, as root, and none of it stands in the cluster's log.",
        innocent: "a cluster for trying things out, on a network of its own",
        next: "find out who changed it and when; look for pods and processes that are not yours before it is set right",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let asks = tables
        .of::<SystemSetting>()
        .any(|row| row.area == "kubelet" && row.name == "authorization-mode" && row.value == "Webhook")
        && !tables.of::<SystemSetting>().any(|row| {
            row.area == "kubelet" && row.name == "authorization-mode" && row.value == "AlwaysAllow"
        });
    for row in tables.of::<SystemSetting>().filter(|row| row.area == "kubelet") {
        let value = row.value.as_bytes();
        let weight = match row.name.as_str().unwrap_or_default() {
            "authorization-mode" if weigh::contains(value, b"AlwaysAllow") => {
                Weight::of(Severity::Medium, "whoever may speak to it may do everything (AlwaysAllow)")
            }
            "anonymous-auth" if value.eq_ignore_ascii_case(b"true") => {
                let severity = if asks { Severity::Low } else { Severity::Medium };
                Weight::of(severity, "it takes orders from anybody who does not say who he is")
            }
            "read-only-port" if value != b"0" => {
                Weight::of(Severity::Low, "it tells everybody what runs here, without asking who")
            }
            "pod-manifest-path" if entry::is_hidden(value) || weigh::is_open(value) => Weight::of(
                Severity::Medium,
                "it starts pods from a hidden place, or where anybody may put files",
            ),
            _ => continue,
        };
        let identity = [row.path.as_bytes(), b"\0", row.name.as_bytes()].concat();
        let title = "The node's agent of Kubernetes takes orders it should not".to_owned();
        let written = Text::from([row.name.as_bytes(), b" ", value].concat());
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &written, &row));
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn open_agents_are_found_in_settings_and_command_lines() {
        for (path, text) in [
            ("/var/lib/kubelet/config.yaml", "authentication:\n  anonymous:\n    enabled: true\n"),
            ("/var/lib/kubelet/config.yaml", "authorization:\n  mode: AlwaysAllow\n"),
            ("/etc/kubernetes/kubelet.json", "{\"authorization\": {\"mode\": \"AlwaysAllow\"}}\n"),
            ("/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--v=2 --anonymous-auth=true\n"),
            ("/var/lib/kubelet/kubeadm-flags.env", "A=\"--authorization-mode=AlwaysAllow\"\n"),
            (
                "/etc/systemd/system/kubelet.service.d/20.conf",
                "[Service]\nEnvironment=\"X=--authorization-mode=AlwaysAllow\"\n",
            ),
            ("/etc/rancher/k3s/config.yaml", "kubelet-arg:\n  - anonymous-auth=true\n"),
            ("/etc/default/kubelet", "X=\"--pod-manifest-path=/var/lib/.k\"\n"),
        ] {
            let seen = check(Mem::new().file(path, text));
            let found = seen.alarms("kubelet");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn what_kubeadm_writes_is_quiet() {
        let seen = check(
            Mem::new()
                .file("/var/lib/kubelet/config.yaml", "authentication:\n  anonymous:\n    enabled: false\n  webhook:\n    enabled: true\nauthorization:\n  mode: Webhook\nstaticPodPath: /etc/kubernetes/manifests\n")
                .file("/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--node-ip=10.0.0.3\n"),
        );
        assert!(seen.by("kubelet").is_empty(), "{:#?}", seen.findings);
    }
}
