//! Detector: a listening socket that no process holds.

use crate::sockets::{Held, Standing, by_holder, is_contained, sentence, short};
use crate::weigh::Files;
use crate::{Card, Detector, Draft, Tables};
use calma_record::kinds::{Interface, Mount, Socket};
use calma_record::{Certainty, Severity};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "unheld-listener",
        doc: "A socket waits for packets or connections, and no process that can be seen holds it.",
        mechanisms: &[34, 15],
        attack: &["T1014", "T1205"],
        why: "The process behind it is hidden, or code in the kernel itself listens.",
        innocent: "the kernel serves something itself (NFS, WireGuard, VXLAN, a storage target)",
        next: "look from another machine what answers on that port; look for hidden processes",
    },
    judge,
};

/// Ports on which parts of the kernel itself listen: NFS, storage targets, cluster file systems, tunnels, AFS, SMB.
const KERNEL_PORTS: [u32; 19] = [
    111, 445, 1701, 2049, 3260, 4420, 4754, 4789, 4790, 6081, 6118, 7000, 7001, 7777, 8472, 9899, 16385,
    21064, 51820,
];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let about = |socket: &Socket| waits(socket) && socket.pids.is_empty() && !is_contained(socket);
    for held in by_holder(tables, &files, about) {
        if held.standing == Standing::Unheld {
            drafts.push(draft(tables, &held));
        }
    }
}

fn waits(socket: &Socket) -> bool {
    matches!(socket.family.as_str(), "inet" | "inet6")
        && match socket.protocol.as_str() {
            "tcp" => socket.state == "listen",
            "udp" | "udplite" => socket.local_port != 0,
            _ => false,
        }
}

fn draft(tables: &Tables, held: &Held<'_>) -> Draft {
    let by_user = held.rows.iter().any(|row| row.uid.is_some_and(|uid| uid != 0));
    let kernel = !by_user && held.rows.iter().all(|row| is_the_kernels(tables, row));
    let (severity, certainty) = match (by_user, kernel) {
        (true, _) => (Severity::High, Certainty::VeryLikely),
        (false, true) => (Severity::Info, Certainty::Possible),
        (false, false) => (Severity::Medium, Certainty::Likely),
    };
    let what = held.rows.first().map(|row| short(row)).unwrap_or_default();
    let mut draft =
        held.draft(severity, certainty, format!("Something listens on {what}, and no process holds it"));
    for row in held.rows.iter().take(6) {
        draft = draft.saw(sentence(row)).address(format!("{}:{}", row.local, row.local_port));
    }
    draft
}

/// Whether a part of the kernel that is in use here explains the socket.
fn is_the_kernels(tables: &Tables, socket: &Socket) -> bool {
    const TUNNELS: [&[u8]; 8] =
        [b"wireguard", b"vxlan", b"geneve", b"bareudp", b"gtp", b"l2tp", b"fou", b"amt"];
    let tunnel = || {
        socket.protocol == "udp"
            && tables.of::<Interface>().any(|interface| TUNNELS.contains(&interface.kind.as_bytes()))
    };
    let file_server = || {
        let served = tables.of::<Socket>().any(|other| other.local_port == 2049 && other.pids.is_empty());
        served
            || tables.of::<Mount>().any(|mount| {
                let filesystem = mount.filesystem.as_bytes();
                filesystem.starts_with(b"nfs") || filesystem == b"afs" || filesystem == b"ceph"
            })
    };
    KERNEL_PORTS.contains(&socket.local_port) || tunnel() || file_server()
}

#[cfg(test)]
mod tests {
    use calma_testkit::check;
    use calma_testkit::network::{holder, host, table};

    #[test]
    fn listeners_without_a_process_are_found() {
        for (kind, line) in
            [("tcp", (10, 31337, 0, 0, 5)), ("tcp", (10, 80, 0, 33, 6)), ("udp", (7, 5353, 0, 0, 7))]
        {
            let seen = check(table(host(&["/usr/sbin/sshd"]), "self", kind, &[line]));
            assert_eq!(seen.alarms("unheld-listener").len(), 1, "{kind}: {:?}", seen.findings);
        }
    }

    #[test]
    fn the_kernels_own_and_held_ones_are_not() {
        let server =
            holder(host(&["/usr/sbin/sshd"]), 9, "/usr/sbin/sshd", "/system.slice/ssh.service", 1, &[5]);
        let server =
            table(server, "self", "tcp", &[(10, 22, 0, 0, 5), (10, 2049, 0, 0, 6), (10, 40001, 0, 0, 8)]);
        let seen = check(table(server, "self", "udp", &[(7, 51820, 0, 0, 7)]));
        assert!(seen.alarms("unheld-listener").is_empty(), "{:?}", seen.findings);
        // A process whose open files can not be read may hold it.
        let unread = holder(host(&[]), 9, "/usr/sbin/x", "/", 1, &[]).failing("/proc/9/fd", 13);
        let seen = check(table(unread, "self", "tcp", &[(10, 31337, 0, 0, 5)]));
        assert!(seen.alarms("unheld-listener").is_empty(), "{:?}", seen.findings);
    }
}
