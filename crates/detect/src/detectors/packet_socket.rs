//! Detector: a packet socket held by a program that should have none.

use crate::sockets::{is_contained, judge_capture};
use crate::{Card, Detector, Draft, Tables};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "packet-socket",
        doc: "A packet socket, with or without a filter, is held by a program that should have none.",
        mechanisms: &[32],
        attack: &["T1205.002", "T1040"],
        why: "Such a socket sees every packet before the firewall does: a backdoor can wait there for a secret knock, \
              with no open port to be seen.",
        innocent: "it is a capture, DHCP or link tool that you installed by hand",
        next: "keep the program's file and find out who started it before you stop it",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    judge_capture(tables, drafts, "A packet socket", |socket| {
        socket.family == "packet" && (!is_contained(socket) || socket.memfd)
    });
}

#[cfg(test)]
mod tests {
    use calma_testkit::network::{holder, host, packets};
    use calma_testkit::{Mem, check};

    fn with(program: &str, filter: bool) -> Mem {
        let host = host(&["/usr/sbin/dhcpcd", "/usr/bin/tcpdump", "/usr/bin/python3.11", "/usr/sbin/sshd"]);
        let host = holder(host, 500, program, "/system.slice/x.service", 1, &[77]);
        packets(host, &[(77, 3, 0, filter)])
    }

    #[test]
    fn programs_that_should_have_none_are_found() {
        for program in [
            "/dev/shm/kdmtmpflush",
            "/usr/lib/.x/haldd",
            "/usr/sbin/gone (deleted)",
            "/memfd:a (deleted)",
            "/usr/bin/python3.11",
            "/usr/sbin/sshd",
        ] {
            let seen = check(with(program, true));
            let found = seen.alarms("packet-socket");
            assert_eq!(found.len(), 1, "{program}: {:?}", seen.findings);
            assert!(found[0].facts.iter().any(|fact| fact.contains("0x7255")), "{:?}", found[0].facts);
        }
        // A program no package owns, in an ordinary place.
        let seen = check(with("/usr/local/sbin/agentd", false).file("/usr/local/sbin/agentd", "\x7fELF"));
        assert_eq!(seen.alarms("packet-socket").len(), 1, "{:?}", seen.findings);
    }

    #[test]
    fn a_socket_that_nobody_holds_is_found() {
        let seen = check(packets(host(&["/usr/sbin/sshd"]), &[(91, 0x800, 0, true)]));
        assert_eq!(seen.alarms("packet-socket").len(), 1, "{:?}", seen.findings);
    }

    #[test]
    fn packaged_network_tools_are_no_alarm() {
        for program in ["/usr/sbin/dhcpcd", "/usr/bin/tcpdump"] {
            let seen = check(with(program, true));
            assert!(seen.alarms("packet-socket").is_empty(), "{program}: {:?}", seen.findings);
        }
    }
}
