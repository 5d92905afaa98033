//! Detector: a socket that one view of the kernel shows and another hides.

use crate::sockets::short;
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::Socket};

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
    for row in tables.of::<Socket>().filter(|row| !row.missing.is_empty()) {
        let (severity, certainty) = if row.family == "unix" {
            (Severity::Medium, Certainty::Likely)
        } else {
            (Severity::Critical, Certainty::VeryLikely)
        };
        let view = |view: &str| if view == "proc" { "/proc/net" } else { "sock_diag" };
        let hidden: Vec<&str> = row.missing.iter().map(|name| view(name)).collect();
        let shown: Vec<&str> = row.views.iter().map(|name| view(name)).collect();
        let identity = format!("{} {} {}", row.family, short(&row), hidden.join(" "));
        let title = format!("The {} is hidden from {}", short(&row), hidden.join(" and "));
        let mut draft = Draft::new(severity, certainty, identity, title).saw(format!(
            "{} shows it (inode {}), {} did not in three looks",
            shown.join(" and "),
            row.inode,
            hidden.join(" and ")
        ));
        for pid in &row.pids {
            draft = draft.pid(*pid);
        }
        if let Some(program) = row.program.as_ref().filter(|_| !row.memfd) {
            draft = draft.path(program);
        }
        if row.local_port != 0 {
            draft = draft.address(format!("{}:{}", row.local, row.local_port));
        }
        drafts.push(draft.from(&row, "shown by one view alone"));
    }
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
