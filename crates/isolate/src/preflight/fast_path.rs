//! Legitimate programs that handle packets before the packet filter sees them (XDP, tc).

use super::{Concern, Known, Sight, Weight, running};

const TABLE: &[Known] = &[
    Known {
        programs: &["cilium-agent"],
        weight: Weight::Breaks,
        what: "Cilium handles this node's packets (tc, XDP)",
        consequence: "its programs pass packets on past the packet filter; when they are detached, every pod loses its network, and \
                      the agent attaches them again",
        outside: "kubectl cordon NODE; scale the agent away from this node (a node selector) before its programs are detached",
    },
    Known {
        programs: &["calico-node", "calico-felix", "felix"],
        weight: Weight::Breaks,
        what: "Calico handles this node's packets",
        consequence: "in its BPF mode packets pass the packet filter by; it puts its rules and programs back by itself",
        outside: "kubectl cordon NODE; take the node out of the calico-node daemon set first",
    },
    Known {
        programs: &[
            "katran_server_grpc",
            "katran",
            "xdp-loader",
            "unimog",
            "glb-director",
            "antrea-agent",
            "ovs-vswitchd",
        ],
        weight: Weight::Breaks,
        what: "a packet forwarder works here (a load balancer or virtual switch)",
        consequence: "it sends packets on before the packet filter; what it carries for others stops with the cut",
        outside: "take this machine out of the routing (withdraw its route) before it is cut",
    },
    Known {
        programs: &["dpdk-testpmd", "vpp", "snort", "suricata"],
        weight: Weight::Breaks,
        what: "a program takes packets from the device itself (DPDK, AF_XDP or inline)",
        consequence: "a device that is not the kernel's is not closed by the kernel's filter",
        outside: "stop the program, or close the switch port (level 3)",
    },
];

/// Where such systems pin their programs.
const PINS: &[(&str, &[u8], &str)] = &[
    ("/sys/fs/bpf/tc/globals", b"cilium_", "Cilium"),
    ("/sys/fs/bpf/tc/globals", b"cali_", "Calico"),
    ("/sys/fs/bpf", b"cilium", "Cilium"),
    ("/sys/fs/bpf", b"calico", "Calico"),
];

pub(super) fn check(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    let before = concerns.len();
    running(sight, TABLE, concerns);
    if concerns.len() > before {
        return;
    }
    // Without the agent its programs go on working.
    for (folder, begin, whose) in PINS {
        if sight.names(folder).iter().any(|name| name.as_bytes().starts_with(begin)) {
            concerns.push(Concern::new(
                Weight::Breaks,
                format!("programs of {whose} are pinned here, though its agent does not run"),
                *folder,
                "they may still pass packets on before the packet filter",
                "find out whether they are still wanted before they are detached",
            ));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::preflight::tests::{process, table};
    use calma_host::Mem;

    #[test]
    fn agents_and_what_they_left_are_known() {
        table(vec![
            (process(Mem::running(), 4, "/usr/bin/cilium-agent", &[]), &["Cilium handles"]),
            (process(Mem::running(), 4, "/usr/bin/cilium", &["status"]), &[]),
            (process(Mem::running(), 4, "/bin/calico-node", &["-felix"]), &["Calico"]),
            (Mem::running().file("/sys/fs/bpf/tc/globals/cilium_policy", ""), &["agent does not run"]),
            (Mem::running().file("/sys/fs/bpf/own_program", ""), &[]),
        ]);
    }
}
