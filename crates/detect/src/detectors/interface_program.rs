//! Detector: a BPF program on a network interface (XDP, traffic control).

use crate::{Card, Detector, Draft, Tables};
use calma_record::kinds::{BpfProgram, Interface, Socket};
use calma_record::{Certainty, Severity};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "interface-program",
        doc: "A BPF program (XDP or traffic control) sees or changes every packet of an interface.",
        mechanisms: &[22],
        attack: &["T1205.002", "T1014"],
        why: "Such a program can take packets away before firewall and captures, and change what leaves.",
        innocent: "a container network (Cilium, Calico) or a load balancer that you run put it there",
        next: "find out who loaded the program; isolating by firewall rules alone will not stop it",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    // Where a cluster's network is at work, such programs are ordinary.
    let cluster = tables.of::<Socket>().any(|socket| {
        socket.cgroup.as_bytes().windows(8).any(|part| part == b"kubepods") && socket.other_root
    });
    let severity = if cluster { Severity::Low } else { Severity::Medium };
    let mut rows: Vec<_> =
        tables.of::<Interface>().filter(|row| !row.xdp.is_empty() || !row.filters.is_empty()).collect();
    rows.sort_by_key(|row| (row.namespace, row.index));
    let Some(first) = rows.first() else { return };
    let how =
        match (rows.iter().any(|row| !row.xdp.is_empty()), rows.iter().any(|row| !row.filters.is_empty())) {
            (true, false) => "XDP",
            (false, _) => "traffic control",
            (true, true) => "XDP, traffic control",
        };
    let title = if rows.len() == 1 {
        format!("A BPF program ({how}) handles the packets of interface {}", first.name)
    } else {
        format!(
            "BPF programs ({how}) handle the packets of {} interfaces, among them {}",
            rows.len(),
            first.name
        )
    };
    let mut draft = Draft::new(severity, Certainty::Possible, "programs on interfaces", title);
    for row in rows.iter().take(8) {
        for id in &row.xdp {
            draft = draft.saw(format!("XDP program {id} is attached to {}", row.name));
            for pin in tables
                .of::<BpfProgram>()
                .filter(|program| program.fact.id == *id)
                .flat_map(|one| one.fact.pins.iter())
            {
                draft = draft.saw(format!("the file {pin} keeps program {id}")).path(pin);
            }
        }
        for filter in row.filters.iter().take(4) {
            draft = draft.saw(format!("traffic filter on {}: {filter}", row.name));
        }
        draft = draft.from(row, "program attached");
    }
    drafts.push(draft);
}

#[cfg(test)]
mod tests {
    use calma_testkit::check;
    use calma_testkit::network::{Wire, host, links};

    #[test]
    fn an_interface_with_a_program_is_found_and_one_without_is_not() {
        for name in ["eth0", "wlan0", "lo"] {
            let seen = check(links(host(&[]), &[Wire { name, xdp: 7, ..Wire::default() }]));
            let found = seen.alarms("interface-program");
            assert_eq!(found.len(), 1, "{:?}", seen.findings);
            assert!(found[0].title.contains("XDP"), "{found:?}");
        }
        let seen = check(links(host(&[]), &[Wire { name: "eth0", ..Wire::default() }]));
        assert!(seen.by("interface-program").is_empty());
    }
}
