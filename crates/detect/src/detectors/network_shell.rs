//! Detector: a shell or interpreter whose input and output is a network connection.

use crate::weigh::{Processes, identity, who};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, kinds::Socket};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "network-shell",
        doc: "A shell or interpreter reads its commands from a network connection.",
        mechanisms: &[],
        attack: &["T1059.004", "T1095"],
        why: "Whoever is at the other end types commands on this server.",
        innocent: "a service that the service manager starts for each connection is written as a script",
        next: "note the address; keep the connection in the case, then cut the server off rather than killing the shell",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let processes = Processes::new(tables);
    let sockets: BTreeMap<u64, Row<'_, Socket>> = tables
        .of::<Socket>()
        .filter(|row| row.inode != 0 && matches!(row.family.as_str(), "inet" | "inet6" | "vsock"))
        .map(|row| (row.inode, row))
        .collect();
    for row in processes.others() {
        let process = row.fact;
        let Some(program) = process.program.as_ref().filter(|program| commands(program.file_name())) else {
            continue;
        };
        let at = |number: usize| process.standard_sockets.get(number).and_then(|inode| sockets.get(inode));
        let (Some(input), Some(_)) = (at(0), at(1).or(at(2))) else { continue };
        let peer = format!("{}:{}", input.remote, input.remote_port);
        let by_manager = process.parent == 1
            && process.unit.as_ref().is_some_and(|unit| {
                unit.as_bytes().contains(&b'@') && unit.as_bytes().ends_with(b".service")
            });
        let (severity, certainty) = if by_manager {
            (Severity::Low, Certainty::Possible)
        } else {
            (Severity::High, Certainty::VeryLikely)
        };
        let title = format!("Process {} (\"{}\") takes commands from {peer}", process.pid, process.name);
        drafts.push(
            Draft::new(severity, certainty, identity(process), title)
                .saw(format!(
                    "the input and output of {program} is a {} connection with {peer}",
                    input.protocol
                ))
                .saw(who(process))
                .pid(process.pid)
                .address(peer)
                .path(program)
                .from(&row, "its standard input and output are sockets")
                .from(input, "the connection"),
        );
    }
}

/// Whether a program of this name runs what it reads: shells and interpreters, with or without a version.
fn commands(name: &[u8]) -> bool {
    const SHELLS: [&[u8]; 21] = [
        b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh", b"mksh", b"fish", b"tcsh", b"csh", b"rbash",
        b"busybox", b"python", b"perl", b"ruby", b"php", b"lua", b"node", b"tclsh", b"pwsh", b"awk",
    ];
    SHELLS.iter().any(|shell| {
        name.strip_prefix(*shell)
            .is_some_and(|rest| rest.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_record::kinds::Process;
    use calma_record::{Body, Fact, Record, Source, StreamName};

    fn shell(pid: u32, program: &str, inode: u64) -> Process {
        Process {
            pid,
            parent: 900,
            name: "x".into(),
            program: Some(program.into()),
            standard_sockets: vec![inode, inode, inode],
            ..Process::default()
        }
    }

    fn socket(family: &str, inode: u64) -> Socket {
        Socket {
            family: family.to_owned(),
            protocol: "tcp".to_owned(),
            remote: "203.0.113.7".into(),
            remote_port: 4444,
            inode,
            ..Socket::default()
        }
    }

    fn found(facts: Vec<Fact>) -> Vec<(Severity, String)> {
        let mut tables = Tables::default();
        let bodies =
            facts.into_iter().map(|fact| Body::Fact { from: Source::proc("x"), fact: Box::new(fact) });
        for (seq, body) in (0..).zip(std::iter::once(Body::Run(Box::default())).chain(bodies)) {
            tables.fold(&StreamName("test".to_owned()), Record { seq, body });
        }
        let judged = crate::judge(&tables).findings;
        judged.into_iter().filter(|f| f.detector == "network-shell").map(|f| (f.severity, f.title)).collect()
    }

    #[test]
    fn shells_on_connections_are_found_under_any_name() {
        let facts = vec![
            shell(40, "/bin/bash", 7).into(),
            shell(41, "/usr/bin/python3.13", 8).into(),
            shell(42, "/opt/dash", 9).into(),
            socket("inet", 7).into(),
            socket("inet6", 8).into(),
            socket("inet", 9).into(),
        ];
        let found = found(facts);
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|(severity, title)| *severity == Severity::High && title.contains(":4444")));
    }

    #[test]
    fn sockets_of_sshd_services_of_the_manager_and_servers_are_not() {
        let mut service = shell(41, "/bin/bash", 8);
        (service.parent, service.unit) = (1, Some("agent@3-10.0.0.1:6556.service".into()));
        let facts = vec![
            // A command over ssh: its input is a Unix socket.
            shell(40, "/bin/bash", 7).into(),
            service.into(),
            shell(42, "/usr/sbin/sshd", 9).into(),
            socket("unix", 7).into(),
            socket("inet", 8).into(),
            socket("inet", 9).into(),
        ];
        let found = found(facts);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, Severity::Low);
    }
}
