//! Detector: an interface takes in packets for everybody.

use crate::sockets::{Standing, standing};
use crate::weigh::Files;
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::kinds::{Interface, Socket};
use calma_record::{Certainty, Severity};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "promiscuous",
        doc: "A network interface is in promiscuous mode, and neither a bridge nor a known capture explains it.",
        mechanisms: &[35],
        attack: &["T1040"],
        why: "The interface hands on traffic that is meant for others: somebody may be reading passwords off the wire.",
        innocent: "a capture or a virtual machine was set up here on purpose",
        next: "find the process that captures; if there is none to be seen, look for hidden ones",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let mut rows: Vec<_> = tables.of::<Interface>().filter(|row| unexplained(row)).collect();
    rows.sort_by_key(|row| (row.first_namespace, row.name.clone(), row.namespace));
    // Interfaces of one name in several containers are one situation.
    rows.dedup_by_key(|row| (row.first_namespace, row.name.clone()));
    for row in rows {
        let capturing: Vec<Row<'_, Socket>> = tables
            .of::<Socket>()
            .filter(|socket| socket.family == "packet" && socket.namespace == row.namespace)
            .filter(|socket| socket.interface.is_empty() || socket.interface == row.name)
            .collect();
        let known = capturing.iter().any(|socket| standing(&files, socket).0 == Standing::Ordinary);
        let suspect = capturing.iter().find(|socket| standing(&files, socket).0 > Standing::Unknown);
        let (severity, certainty) = match (suspect, known) {
            (Some(_), _) => (Severity::Medium, Certainty::Likely),
            // Container networks switch their own bridges over.
            (None, _) if row.kind == "bridge" => (Severity::Low, Certainty::Possible),
            (None, true) => (Severity::Info, Certainty::Possible),
            (None, false) => (Severity::Medium, Certainty::Possible),
        };
        let identity = format!("{} {}", row.first_namespace, row.name);
        let mut draft = Draft::new(
            severity,
            certainty,
            identity,
            format!("The interface {} takes in packets for everybody (promiscuous mode)", row.name),
        )
        .saw(format!("{} part(s) of the system asked for it", row.promiscuity.max(1)));
        if row.promiscuous {
            draft = draft.saw("it was switched on by name (the interface's PROMISC flag)");
        }
        if capturing.is_empty() {
            draft = draft.saw("no packet socket is to be seen that would need it");
        }
        let mut capturing: Vec<_> = capturing.iter().collect();
        capturing.sort_by_key(|socket| (socket.inode, socket.program.clone()));
        for socket in capturing.into_iter().take(4) {
            for pid in socket.pids.iter().take(4) {
                draft = draft.pid(*pid);
            }
            if let Some(program) = socket.program.as_ref().filter(|_| !socket.memfd) {
                draft = draft.path(program).saw(format!("{program} holds a packet socket there"));
            }
            draft = draft.from(socket, "packet socket");
        }
        drafts.push(draft.from(&row, "promiscuous"));
    }
}

/// Whether it was asked for by name, which bridges and stacked devices do not do, or by more than those.
fn unexplained(interface: &Interface) -> bool {
    let bridged = u32::from(!interface.master.is_empty() || !interface.master_kind.is_empty());
    let stacked = u32::try_from(interface.uppers.len()).unwrap_or(u32::MAX);
    interface.promiscuous || interface.promiscuity > bridged.saturating_add(stacked)
}

#[cfg(test)]
mod tests {
    use calma_testkit::check;
    use calma_testkit::network::{Wire, holder, host, links, packets};

    #[test]
    fn an_interface_by_hand_or_by_a_sniffer_is_found() {
        let by_hand = Wire { name: "eth0", promiscuous: true, promiscuity: 1, ..Wire::default() };
        let counted = Wire { name: "eth1", promiscuity: 1, ..Wire::default() };
        let port = Wire { name: "eth2", master_kind: "bridge", promiscuity: 2, ..Wire::default() };
        for wire in [&by_hand, &counted, &port] {
            let seen = check(links(host(&[]), std::slice::from_ref(wire)));
            assert_eq!(seen.alarms("promiscuous").len(), 1, "{}: {:?}", wire.name, seen.findings);
        }
        let sniffer = packets(holder(host(&[]), 9, "/tmp/sniff", "/", 1, &[5]), &[(5, 3, 1, false)]);
        let seen = check(links(sniffer, &[by_hand]));
        assert_eq!(seen.alarms("promiscuous").len(), 1);
    }

    #[test]
    fn ports_of_a_bridge_and_captures_by_packaged_programs_are_not() {
        let port = Wire { name: "veth1", master_kind: "bridge", promiscuity: 1, ..Wire::default() };
        assert!(check(links(host(&[]), &[port])).alarms("promiscuous").is_empty());
        let host = holder(host(&["/usr/bin/tcpdump"]), 9, "/usr/bin/tcpdump", "/", 1, &[5]);
        let eth0 = Wire { name: "eth0", promiscuity: 1, ..Wire::default() };
        let seen = check(links(packets(host, &[(5, 3, 1, true)]), &[eth0]));
        assert!(seen.alarms("promiscuous").is_empty(), "{:?}", seen.findings);
    }
}
