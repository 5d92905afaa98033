//! Detector: a raw IP socket held by a program that should have none.

use crate::sockets::{is_contained, judge_capture};
use crate::{Card, Detector, Draft, Tables};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "raw-socket",
        doc: "A raw IP socket (ICMP or another protocol) is held by a program that should have none.",
        mechanisms: &[32, 34],
        attack: &["T1095", "T1205"],
        why: "A raw socket talks without an open port, for example inside ping packets: a way for commands to come in.",
        innocent: "it is a monitoring or routing tool that you installed by hand",
        next: "keep the program's file and find out who started it before you stop it",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    judge_capture(tables, drafts, "A raw socket", |socket| {
        let raw = ["icmp", "icmpv6", "raw"].iter().any(|name| socket.protocol.starts_with(name));
        matches!(socket.family.as_str(), "inet" | "inet6") && raw && (!is_contained(socket) || socket.memfd)
    });
}

#[cfg(test)]
mod tests {
    use calma_testkit::check;
    use calma_testkit::network::{holder, host, table};

    #[test]
    fn raw_sockets_of_odd_programs_are_found_and_those_of_ping_are_not() {
        for (program, alarms) in [
            ("/tmp/.x/pingd", 1),
            ("/memfd:p (deleted)", 1),
            ("/var/lib/gone (deleted)", 1),
            ("/usr/bin/ping", 0),
            ("/usr/sbin/keepalived", 0),
        ] {
            let host = holder(host(&["/usr/bin/ping", "/usr/sbin/keepalived"]), 9, program, "/", 1, &[5]);
            let seen = check(table(host, "self", "raw", &[(7, 1, 0, 0, 5)]));
            assert_eq!(seen.alarms("raw-socket").len(), alarms, "{program}: {:?}", seen.findings);
        }
    }
}
