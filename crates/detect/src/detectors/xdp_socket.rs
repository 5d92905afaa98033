//! Detector: an express data path socket.

use crate::sockets::{is_contained, judge_capture};
use crate::{Card, Detector, Draft, Tables};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "xdp-socket",
        doc: "A socket that takes packets from the driver, past firewall and packet captures.",
        mechanisms: &[22, 32],
        attack: &["T1205.002", "T1095"],
        why: "Traffic over such a socket passes no firewall rule and is seen by no capture on this machine.",
        innocent: "you run a fast packet processor such as an intrusion detection system",
        next: "find out what the program is for; capture traffic on another machine, not on this one",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    judge_capture(tables, drafts, "An express data path (AF_XDP) socket", |socket| {
        socket.family == "xdp" && (!is_contained(socket) || socket.memfd)
    });
}

#[cfg(test)]
mod tests {
    use calma_testkit::check;
    use calma_testkit::network::{holder, host};

    #[test]
    fn they_are_told_apart_by_who_holds_them() {
        for (program, alarms) in
            [("/tmp/fast", 1), ("/usr/bin/.cache/x", 1), ("/memfd:x (deleted)", 1), ("/usr/sbin/suricata", 0)]
        {
            let host = holder(host(&["/usr/sbin/suricata"]), 9, program, "/", 1, &[5]);
            let seen = check(host.network(|network| network.socket_protocol(9, 3, "XDP")));
            assert_eq!(seen.alarms("xdp-socket").len(), alarms, "{program}: {:?}", seen.findings);
        }
    }
}
