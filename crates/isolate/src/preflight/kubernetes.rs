//! Kubernetes: the node agent kills what it no longer reaches.

use super::{Concern, Known, Sight, Weight, running};

const TABLE: &[Known] = &[Known {
    programs: &["kubelet", "k3s", "k3s-server", "k3s-agent", "rke2", "microk8s", "kubelite", "k0s"],
    weight: Weight::Destroys,
    what: "it is a Kubernetes node",
    consequence: "the node agent can not reach its own pods any more, counts them as dead and restarts them: files and memory of \
                  a suspect container are gone. After five minutes without the node its pods are started elsewhere",
    outside: "kubectl cordon NODE; keep suspect containers first (calma contain); do not drain: draining deletes them",
}];

pub(super) fn check(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    running(sight, TABLE, concerns);
    let pods = sight.names("/etc/kubernetes/manifests");
    if let Some(name) = pods.iter().find(|name| name.file_name().starts_with(b"etcd")) {
        concerns.push(Concern::new(
            Weight::Breaks,
            "it is a control-plane node",
            format!("/etc/kubernetes/manifests/{name}"),
            "with one member of the cluster's database less there may be no majority, and nothing in the cluster can be changed",
            "see that the other control-plane nodes answer: kubectl get nodes, over another one",
        ));
    }
}

#[cfg(test)]
mod tests {
    use crate::preflight::tests::{process, table};
    use calma_host::Mem;

    #[test]
    fn a_node_is_known_and_a_client_is_not() {
        table(vec![
            (
                process(Mem::running(), 4, "/usr/bin/kubelet", &["--config=x"]),
                &["kubectl cordon", "do not drain"],
            ),
            (process(Mem::running(), 4, "/usr/local/bin/k3s", &["agent"]), &["Kubernetes node"]),
            (process(Mem::running(), 4, "/usr/bin/kubectl", &["get", "pods"]), &[]),
            (Mem::running().file("/etc/kubernetes/manifests/etcd.yaml", "kind: Pod\n"), &["control-plane"]),
            (Mem::running().directory("/etc/kubernetes/manifests"), &[]),
        ]);
    }
}
