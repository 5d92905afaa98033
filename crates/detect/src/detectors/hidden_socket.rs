//! Detector: a socket that one view of the kernel shows and another hides.

use crate::sockets::short;
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, kinds::Socket};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "hidden-socket",
        doc: "A socket is shown by sock_diag or by /proc/net, and hidden from the other.",
        mechanisms: &[34],
        attack: &["T1014", "T1564"],
        why: "Both views come from the same kernel tables; that one leaves a socket out means that it was made to lie.",
        innocent: "",
        next: "trust no tool on this machine any more; look from outside, and at the disk from another system",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let mut groups: BTreeMap<String, Vec<Row<'_, Socket>>> = BTreeMap::new();
    for row in tables.of::<Socket>().filter(|row| !row.missing.is_empty()) {
        groups
            .entry(format!("{} {} {}", row.family, short(&row), named(&row.missing)))
            .or_default()
            .push(row);
    }
    for (identity, mut rows) in groups {
        rows.sort_by_key(|row| (row.namespace, row.inode, row.program.clone()));
        drafts.extend(draft(&identity, &rows));
    }
}

fn draft(identity: &str, rows: &[Row<'_, Socket>]) -> Option<Draft> {
    let first = rows.first()?;
    let (severity, certainty) = if first.family == "unix" {
        (Severity::Medium, Certainty::Likely)
    } else {
        (Severity::Critical, Certainty::VeryLikely)
    };
    let title = format!("The {} is hidden from {}", short(first), named(&first.missing));
    let mut draft = Draft::new(severity, certainty, identity, title);
    for row in rows.iter().take(8) {
        draft = draft.saw(format!(
            "{} shows it (inode {}), {} did not in three looks",
            named(&row.views),
            row.inode,
            named(&row.missing)
        ));
        for pid in row.pids.iter().take(8) {
            draft = draft.pid(*pid);
        }
        if let Some(program) = row.program.as_ref().filter(|_| !row.memfd) {
            draft = draft.path(program);
        }
        if row.local_port != 0 {
            draft = draft.address(format!("{}:{}", row.local, row.local_port));
        }
        draft = draft.from(row, "shown by one view alone");
    }
    Some(draft)
}

fn named(views: &[String]) -> String {
    let names = views.iter().map(|view| if view == "proc" { "/proc/net" } else { view.as_str() });
    names.collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use calma_testkit::check;
    use calma_testkit::network::{host, packets, table, tcp_by_diag};

    #[test]
    fn a_socket_missing_from_either_view_is_found() {
        let both = || table(tcp_by_diag(host(&[]), &[(10, 22, 5)]), "self", "tcp", &[(10, 22, 0, 0, 5)]);
        assert!(check(both()).alarms("hidden-socket").is_empty());
        // From /proc, from sock_diag, and a packet socket from /proc.
        let from_proc = table(tcp_by_diag(host(&[]), &[(10, 4444, 6)]), "self", "tcp", &[]);
        assert_eq!(check(from_proc).alarms("hidden-socket").len(), 1);
        let from_diag = table(tcp_by_diag(host(&[]), &[]), "self", "tcp", &[(10, 4444, 0, 0, 6)]);
        assert_eq!(check(from_diag).alarms("hidden-socket").len(), 1);
        let head = "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n";
        let packet = packets(host(&[]), &[(8, 3, 0, true)]).file("/proc/self/net/packet", head);
        assert_eq!(check(packet).alarms("hidden-socket").len(), 1);
        // Closing connections come and go.
        let closing = table(tcp_by_diag(host(&[]), &[(6, 4444, 6), (4, 1, 7)]), "self", "tcp", &[]);
        assert!(check(closing).alarms("hidden-socket").is_empty());
    }
}
