//! Who is to be frozen before the network is cut: what would see that it is, and act on it.

use super::{ProposeError, propose};
use crate::review::Review;
use crate::side::Side;
use calma_case::Case;
use calma_host::ground::ProcessLine;
use calma_record::kinds::Socket;
use calma_record::step::{Step, Target};
use std::collections::{BTreeMap, BTreeSet};

/// A process of a finding that holds packet sockets, or connections that are about to be cut, with everything it started.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// The step that freezes it.
    pub step: Step,
    /// What it holds, in words.
    pub holds: String,
    /// Why it is not frozen; empty if it may be.
    pub doubt: String,
}

/// Those of the newest look of a case. Who listens on one of these ports is needed to come back, so it is never frozen.
///
/// # Errors
/// As for [`propose`].
pub fn suspects(
    case: &Case,
    review: &Review,
    side: &dyn Side,
    needed: &[u32],
) -> Result<Vec<Suspect>, ProposeError> {
    let holds = holds(review);
    if holds.values().all(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let plan = propose(case, review, side, &[])?;
    let lines = side.processes()?;
    let listeners = listeners(review, needed);
    let mut found = Vec::new();
    for step in plan.steps.into_iter().filter(|step| step.action == "freeze") {
        let Target::Tree(root) = &step.target else { continue };
        let members = below(root.pid, &lines);
        let what: BTreeSet<&str> =
            members.iter().filter_map(|pid| holds.get(pid)).flatten().map(String::as_str).collect();
        if what.is_empty() {
            continue;
        }
        let doubt = match members.iter().find(|pid| listeners.contains(pid)) {
            Some(pid) => format!("process {pid} answers on the port by which you come back"),
            None => step.doubt.clone(),
        };
        let holds = what.into_iter().collect::<Vec<_>>().join(", ");
        let step = Step { ticked: doubt.is_empty(), ..step };
        found.push(Suspect { step, holds, doubt });
    }
    Ok(found)
}

/// What each process holds that hears or reaches others: packet sockets, and connections that leave this host.
fn holds(review: &Review) -> BTreeMap<u32, Vec<String>> {
    let mut holds: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for socket in review.tables.of::<Socket>() {
        let what = match socket.family.as_str() {
            "packet" => "a packet socket".to_owned(),
            "xdp" => "an AF_XDP socket".to_owned(),
            "inet" | "inet6" if socket.protocol.starts_with("raw") => format!("a {} socket", socket.protocol),
            "inet" | "inet6" if socket.remote_port > 0 && !stays_here(&socket) => {
                format!("a connection with {}, port {}", socket.remote, socket.remote_port)
            }
            _ => continue,
        };
        for pid in &socket.pids {
            holds.entry(*pid).or_default().push(what.clone());
        }
    }
    holds
}

/// Whether a connection does not leave this host.
fn stays_here(socket: &Socket) -> bool {
    let remote = socket.remote.to_string();
    remote.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
        || socket.remote == socket.local
}

/// Who listens on one of these ports.
fn listeners(review: &Review, ports: &[u32]) -> BTreeSet<u32> {
    let sockets = review.tables.of::<Socket>();
    let wanted = sockets.filter(|socket| socket.state == "listen" && ports.contains(&socket.local_port));
    wanted.flat_map(|socket| socket.pids.clone()).collect()
}

/// A process and everything below it.
fn below(root: u32, lines: &[ProcessLine]) -> BTreeSet<u32> {
    let mut found = BTreeSet::from([root]);
    loop {
        let more: Vec<u32> = lines
            .iter()
            .filter(|line| found.contains(&line.parent) && !found.contains(&line.pid))
            .map(|line| line.pid)
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_record::{Body, Record, Source, StreamName, View};

    fn socket(
        family: &str,
        protocol: &str,
        state: &str,
        local_port: u32,
        remote: (&str, u32),
        pid: u32,
    ) -> Socket {
        Socket {
            family: family.to_owned(),
            protocol: protocol.to_owned(),
            state: state.to_owned(),
            local_port,
            remote: remote.0.into(),
            remote_port: remote.1,
            pids: vec![pid],
            ..Socket::default()
        }
    }

    #[test]
    fn what_hears_or_reaches_others_counts_and_who_is_needed_is_known() {
        let mut review = Review::default();
        let (none, stream) = (("", 0), StreamName("host-1".to_owned()));
        let sockets = [
            socket("packet", "0x0003", "", 0, none, 5),
            socket("xdp", "", "", 0, none, 6),
            socket("inet", "raw 1", "closed", 0, none, 7),
            socket("inet", "tcp", "established", 4000, ("192.0.2.9", 443), 8),
            socket("inet", "tcp", "established", 4001, ("127.0.0.1", 5432), 9),
            socket("inet6", "tcp", "established", 4002, ("::ffff:127.0.0.1", 5432), 10),
            socket("inet", "tcp", "listen", 22, none, 11),
            socket("inet", "tcp", "listen", 80, none, 12),
            socket("unix", "stream", "established", 0, none, 13),
        ];
        for (seq, socket) in (0..).zip(sockets) {
            let body =
                Body::Fact { from: Source::kernel(View::Proc, "/proc/net"), fact: Box::new(socket.into()) };
            review.tables.fold(&stream, Record { seq, body });
        }
        let found: Vec<(u32, String)> =
            holds(&review).into_iter().map(|(pid, what)| (pid, what.join(", "))).collect();
        let expected = [
            (5, "a packet socket"),
            (6, "an AF_XDP socket"),
            (7, "a raw 1 socket"),
            (8, "a connection with 192.0.2.9, port 443"),
        ];
        assert_eq!(found, expected.map(|(pid, what)| (pid, what.to_owned())));
        assert_eq!(listeners(&review, &[22]), BTreeSet::from([11]));
    }

    #[test]
    fn a_tree_is_all_of_it() {
        let line = |pid, parent| ProcessLine {
            pid,
            parent,
            name: "x".into(),
            state: b'S',
            group: pid,
            session: pid,
            kernel_thread: false,
            started: 1,
        };
        let lines = [line(1, 0), line(7, 5), line(5, 1), line(6, 7), line(8, 1)];
        assert_eq!(below(5, &lines), BTreeSet::from([5, 6, 7]));
    }
}
