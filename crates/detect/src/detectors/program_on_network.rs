//! Detector: a program that is not where programs are listens or is connected.

use crate::sockets::{Standing, by_holder, is_contained, sentence};
use crate::weigh::Files;
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::Socket};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "program-on-network",
        doc: "A program that is deleted, in memory alone, or in a temporary or hidden place listens or is connected.",
        mechanisms: &[12, 13],
        attack: &["T1071", "T1571", "T1620"],
        why: "This is how an intruder's program looks that takes commands over the network.",
        innocent: "somebody tries out a program from a temporary directory",
        next: "keep the program's file from /proc before anything is stopped, and note the peer's address",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let about = |socket: &Socket| {
        matches!(socket.family.as_str(), "inet" | "inet6" | "vsock")
            && matches!(
                socket.state.as_str(),
                "listen" | "established" | "syn-sent" | "closed" | "close-wait"
            )
            && (socket.local_port != 0 || socket.remote_port != 0)
    };
    for held in by_holder(tables, &files, about).into_iter().filter(|held| held.standing == Standing::Odd) {
        let listens = held.rows.iter().any(|row| row.state == "listen");
        let does = if listens { "listens on the network" } else { "is on the network" };
        let name = held.rows.first().and_then(|row| row.program.as_ref()).map(ToString::to_string);
        let title = format!("A program that is not where programs are {does}: {}", name.unwrap_or_default());
        // Images of containers put programs where they like.
        let contained = held.rows.iter().all(|row| is_contained(row) && !row.memfd);
        let (severity, certainty) = if contained {
            (Severity::Low, Certainty::Possible)
        } else {
            (Severity::High, Certainty::Likely)
        };
        let mut draft = held.draft(severity, certainty, title);
        for row in held.rows.iter().take(6) {
            draft = draft.saw(sentence(row));
            let (address, port) = if row.remote.is_empty() {
                (&row.local, row.local_port)
            } else {
                (&row.remote, row.remote_port)
            };
            draft = draft.address(format!("{address}:{port}"));
        }
        drafts.push(draft);
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::check;
    use calma_testkit::network::{holder, host, table};

    #[test]
    fn programs_out_of_place_are_found_and_upgraded_ones_are_not() {
        for (program, line, alarms) in [
            ("/dev/shm/a", (10, 4444, 0, 0, 5), 1),
            ("/memfd:x (deleted)", (1, 40000, 443, 0, 5), 1),
            ("/var/www/html/gone (deleted)", (1, 40000, 443, 33, 5), 1),
            ("/usr/lib/.../x", (10, 22, 0, 0, 5), 1),
            ("/usr/sbin/nginx", (10, 80, 0, 0, 5), 0),
            ("/usr/sbin/nginx (deleted)", (10, 80, 0, 0, 5), 0),
            ("/opt/app/server", (10, 8080, 0, 1000, 5), 0),
        ] {
            let host = holder(host(&["/usr/sbin/nginx"]), 9, program, "/", 1, &[5]);
            let seen = check(table(host.file("/opt/app/server", "\x7fELF"), "self", "tcp", &[line]));
            assert_eq!(seen.alarms("program-on-network").len(), alarms, "{program}: {:?}", seen.findings);
        }
    }

    #[test]
    fn a_program_that_inherited_a_servers_socket_is_found() {
        let server = holder(host(&["/usr/sbin/nginx"]), 9, "/usr/sbin/nginx", "/", 1, &[5]);
        let both = holder(server, 10, "/var/tmp/child", "/", 1, &[5]);
        let seen = check(table(both, "self", "tcp", &[(10, 80, 0, 0, 5)]));
        let found = seen.alarms("program-on-network");
        assert_eq!(found.len(), 1, "{:?}", seen.findings);
        assert!(found[0].title.contains("/var/tmp/child"));
    }
}
