//! Detector: a listener in a network namespace that is no container's and no service's own.

use crate::sockets::{Standing, by_holder, is_contained, sentence};
use crate::weigh::Files;
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::Socket};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "hidden-listener",
        doc: "A process that belongs to no container listens in another network namespace.",
        mechanisms: &[34],
        attack: &["T1564", "T1611"],
        why: "Tools such as ss and netstat show one network namespace alone: a listener in another is out of their sight.",
        innocent: "you made that namespace on purpose, for a VPN for example",
        next: "list the namespace's interfaces and find out who made it",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let about = |socket: &Socket| {
        let listens =
            socket.state == "listen" && matches!(socket.family.as_str(), "inet" | "inet6" | "vsock");
        let waits = socket.protocol == "udp" && socket.local_port != 0 && socket.remote.is_empty();
        (listens || waits) && !socket.first_namespace && !socket.pids.is_empty() && !is_contained(socket)
    };
    for held in by_holder(tables, &files, about) {
        // A service with a network of its own (PrivateNetwork=, NetworkNamespacePath= of systemd.exec(5)).
        let service = held.rows.iter().all(|row| is_service(row));
        // Another root and no runtime's control group: a container that was made by hand, a build, a test.
        let other_root = held.rows.iter().all(|row| row.other_root);
        let (severity, certainty) = match held.standing {
            Standing::Odd => (Severity::High, Certainty::VeryLikely),
            Standing::Ordinary | Standing::Unknown if service => (Severity::Info, Certainty::Possible),
            Standing::Ordinary | Standing::Unknown
                if other_root && !held.rows.iter().any(|row| by_hand(row)) =>
            {
                (Severity::Low, Certainty::Possible)
            }
            Standing::Interpreter if service => (Severity::Low, Certainty::Possible),
            Standing::Unknown => (Severity::Low, Certainty::Possible),
            _ => (Severity::Medium, Certainty::Likely),
        };
        let who = held.who();
        let title = format!("In another network namespace, {who} waits for connections");
        let mut draft = held.draft(severity, certainty, title);
        for row in held.rows.iter().take(6) {
            draft = draft
                .saw(format!("{}, in network namespace {}", sentence(row), row.namespace))
                .address(format!("{}:{}", row.local, row.local_port));
        }
        drafts.push(draft);
    }
}

/// Services that start other people's programs, and stay their control group.
const STARTERS: [&[u8]; 8] = [
    b"ssh.service",
    b"sshd.service",
    b"cron.service",
    b"crond.service",
    b"atd.service",
    b"anacron.service",
    b"getty@",
    b"rc-local.service",
];

/// Whether it was started from a login session or by a job.
fn by_hand(socket: &Socket) -> bool {
    let unit = socket.cgroup.as_bytes().rsplit(|b| *b == b'/').next().unwrap_or_default();
    unit.starts_with(b"session-") || STARTERS.iter().any(|starter| unit.starts_with(starter))
}

/// Whether the process is a unit of the system's own slice, and not one that starts other people's programs.
fn is_service(socket: &Socket) -> bool {
    let group = socket.cgroup.as_bytes();
    let unit = group.rsplit(|b| *b == b'/').next().unwrap_or_default();
    group.starts_with(b"/system.slice/") && unit.ends_with(b".service") && !by_hand(socket)
}

#[cfg(test)]
mod tests {
    use calma_testkit::network::{holder, host, table};
    use calma_testkit::{Mem, check};

    fn with(program: &str, cgroup: &str) -> Mem {
        let host = host(&["/usr/bin/socat", "/usr/sbin/nginx", "/usr/sbin/openvpn"]);
        table(holder(host, 9, program, cgroup, 2, &[5]), "9", "tcp", &[(10, 4444, 0, 0, 5)])
    }

    #[test]
    fn listeners_outside_containers_are_found() {
        for (program, cgroup) in [
            ("/usr/bin/socat", "/user.slice/user-0.slice/session-3.scope"),
            ("/usr/sbin/nginx", "/system.slice/cron.service"),
            ("/tmp/x", "/system.slice/web.service"),
            ("/memfd:x (deleted)", "/"),
        ] {
            let seen = check(with(program, cgroup));
            assert_eq!(seen.alarms("hidden-listener").len(), 1, "{program}: {:?}", seen.findings);
        }
    }

    #[test]
    fn containers_and_services_are_not() {
        let service = with("/usr/sbin/openvpn", "/system.slice/openvpn@a.service");
        assert!(check(service).alarms("hidden-listener").is_empty());
        let container = with("/usr/local/bin/app", "/system.slice/docker-0123.scope")
            .directory("/proc/9/root/.")
            .with("/proc/9/root/.", |meta| meta.inode = 4242);
        let seen = check(container);
        assert!(seen.alarms("hidden-listener").is_empty(), "{:?}", seen.findings);
    }
}
