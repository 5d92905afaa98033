//! Which connection is the administrator's own: found from the processes that led to calma, not from what they say.

use crate::Kept;
use calma_formats::proc_net;
use calma_formats::sock_diag::Inet;
use calma_host::ground::ProcessLine;
use calma_host::{Host, Tree};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A TCP connection into this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Connection {
    /// The other end.
    pub peer: IpAddr,
    /// Its port there.
    pub peer_port: u16,
    /// The address here.
    pub local: IpAddr,
    /// The port here.
    pub port: u16,
}

impl Connection {
    /// What is kept for it: its peer, from any port, to the port here.
    pub fn kept(&self) -> Kept {
        Kept::new(self.peer, Some(self.port))
    }
}

/// How calma was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// Through this connection: a process that led to calma holds it.
    Through(Connection),
    /// At a console of this machine, by this terminal's name.
    Console(&'static str),
    /// It can not be told; these logins are connected now.
    Unclear(BTreeSet<Connection>),
}

/// TCP states (`<net/tcp_states.h>`).
const ESTABLISHED: u8 = 1;
const LISTEN: u8 = 10;
/// The longest table of connections that is read.
const TABLE: usize = 64 << 20;

/// Finds it, from process `own` upwards.
pub fn came(host: &dyn Host, lines: &[ProcessLine], own: u32) -> Came {
    let tree = host.tree();
    let sockets = inward(tree);
    let by_pid: BTreeMap<u32, &ProcessLine> = lines.iter().map(|line| (line.pid, line)).collect();
    let ancestors = ancestors(&by_pid, own);
    for line in &ancestors {
        // The nearest process that holds an inward connection: sshd's part for this session.
        if let Some(found) = held(tree, line.pid).iter().find_map(|inode| sockets.get(inode)) {
            return Came::Through(*found);
        }
    }
    let logins = logins(tree, lines, &sockets);
    // tmux and screen live on when a connection ends. What they were started from is taken if it is still there and there is
    // no other that could be meant.
    let told: BTreeSet<Connection> = ancestors.iter().filter_map(|line| told(tree, line.pid)).collect();
    if let [only] = distinct(&logins).as_slice()
        && told.iter().any(|connection| logins.contains(connection) && connection.kept() == only.kept())
    {
        return Came::Through(*only);
    }
    match ancestors.first().and_then(|line| console(tree, line.pid)) {
        Some(terminal) => Came::Console(terminal),
        None => Came::Unclear(logins),
    }
}

/// From `own` to the first process.
fn ancestors<'a>(by_pid: &BTreeMap<u32, &'a ProcessLine>, own: u32) -> Vec<&'a ProcessLine> {
    let mut found: Vec<&ProcessLine> = Vec::new();
    let mut at = own;
    while let Some(line) = by_pid.get(&at) {
        if found.len() > 1000 || found.iter().any(|known| known.pid == line.pid) {
            break;
        }
        found.push(line);
        at = line.parent;
    }
    found
}

/// Connected sockets whose port here somebody listens on, by inode number.
fn inward(tree: &dyn Tree) -> BTreeMap<u64, Connection> {
    let table = |name: &str| {
        let read = tree.read(format!("/proc/self/net/{name}").as_bytes(), TABLE);
        read.map(|content| proc_net::inet(&content.bytes)).unwrap_or_default()
    };
    let rows: Vec<Inet> = [table("tcp"), table("tcp6")].concat();
    let listening: BTreeSet<u16> =
        rows.iter().filter(|row| row.state == LISTEN).map(|row| row.local_port).collect();
    rows.iter()
        .filter(|row| row.state == ESTABLISHED && listening.contains(&row.local_port))
        .map(|row| {
            let peer = row.remote.to_canonical();
            let local = row.local.to_canonical();
            (
                u64::from(row.inode),
                Connection { peer, peer_port: row.remote_port, local, port: row.local_port },
            )
        })
        .filter(|(_, connection)| !connection.peer.is_loopback())
        .collect()
}

/// The sockets that a process holds, by inode number.
fn held(tree: &dyn Tree, pid: u32) -> Vec<u64> {
    let folder = format!("/proc/{pid}/fd");
    let names = tree.list(folder.as_bytes()).unwrap_or_default();
    let target = |name: &[u8]| tree.link(&calma_host::join(folder.as_bytes(), name)).ok();
    let inode = |target: Vec<u8>| {
        let digits = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?.to_vec();
        std::str::from_utf8(&digits).ok()?.parse().ok()
    };
    names.iter().take(4096).filter_map(|entry| inode(target(entry.name.as_bytes())?)).collect()
}

/// Connections held by the programs that let people in.
fn logins(
    tree: &dyn Tree,
    lines: &[ProcessLine],
    sockets: &BTreeMap<u64, Connection>,
) -> BTreeSet<Connection> {
    let lets_in = |line: &&ProcessLine| {
        let name = line.name.as_bytes();
        name.starts_with(b"sshd") || name.starts_with(b"dropbear")
    };
    let of = |line: &ProcessLine| {
        held(tree, line.pid).into_iter().filter_map(|inode| sockets.get(&inode).copied())
    };
    lines.iter().filter(lets_in).flat_map(of).collect()
}

/// One connection for each peer and port.
fn distinct(connections: &BTreeSet<Connection>) -> Vec<Connection> {
    let by_kept: BTreeMap<Kept, Connection> = connections.iter().map(|one| (one.kept(), *one)).collect();
    by_kept.into_values().collect()
}

/// What the variable `SSH_CONNECTION` of a process says (ssh(1)): peer, its port, this host, its port.
fn told(tree: &dyn Tree, pid: u32) -> Option<Connection> {
    let content = tree.read(format!("/proc/{pid}/environ").as_bytes(), 1 << 20).ok()?;
    let value = content.bytes.split(|b| *b == 0).find_map(|entry| entry.strip_prefix(b"SSH_CONNECTION="))?;
    let mut words = std::str::from_utf8(value).ok()?.split(' ');
    let peer: IpAddr = words.next()?.parse().ok()?;
    let peer_port = words.next()?.parse().ok()?;
    let local: IpAddr = words.next()?.parse().ok()?;
    let port = words.next()?.parse().ok()?;
    Some(Connection { peer: peer.to_canonical(), peer_port, local: local.to_canonical(), port })
}

/// Whether a process's terminal is a console: field 7 of proc_pid_stat(5), device numbers of the kernel's
/// Documentation/admin-guide/devices.txt.
fn console(tree: &dyn Tree, pid: u32) -> Option<&'static str> {
    let content = tree.read(format!("/proc/{pid}/stat").as_bytes(), 4096).ok()?;
    let after = content.bytes.iter().rposition(|b| *b == b')')?;
    let text = std::str::from_utf8(content.bytes.get(after + 1..)?).ok()?;
    let device: i64 = text.split_whitespace().nth(4)?.parse().ok()?;
    match ((device >> 8) & 0xfff, device & 0xff) {
        (4, 1..=63) => Some("a virtual console"),
        (4 | 204 | 229, _) => Some("a serial console"),
        (5, 1) => Some("the system console"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
