//! Logins by ssh, sudo, tmux, jump hosts and consoles, as values.

use super::*;
use calma_host::Mem;

const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr\n";

/// A line of /proc/net/tcp: here 10.0.0.2:`port`, the peer 10.0.0.`peer`:`peer_port`.
fn row(at: usize, port: u16, peer: u8, peer_port: u16, state: u8, inode: u64) -> String {
    let peer = if peer == 0 { "00000000".to_owned() } else { format!("{peer:02X}00000A") };
    format!(
        "{at:4}: 0200000A:{port:04X} {peer}:{peer_port:04X} {state:02X} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0\n"
    )
}

fn line(pid: u32, parent: u32, name: &str) -> ProcessLine {
    ProcessLine {
        pid,
        name: name.into(),
        state: b'S',
        parent,
        group: pid,
        session: pid,
        kernel_thread: false,
        started: 1,
    }
}

fn holding(mem: Mem, pid: u32, inode: u64) -> Mem {
    mem.directory(format!("/proc/{pid}/fd")).symlink(format!("/proc/{pid}/fd/4"), format!("socket:[{inode}]"))
}

fn tables(rows: &[String]) -> Mem {
    Mem::running().file("/proc/self/net/tcp", format!("{HEAD}{}{}", row(0, 22, 0, 0, 10, 1), rows.concat()))
}

fn connection(peer: &str, peer_port: u16) -> Connection {
    Connection { peer: peer.parse().unwrap(), peer_port, local: "10.0.0.2".parse().unwrap(), port: 22 }
}

#[test]
fn the_connection_is_the_one_that_an_ancestor_holds() {
    let rows = [row(1, 22, 7, 5000, 1, 77), row(2, 22, 8, 6000, 1, 88), row(3, 40000, 9, 443, 1, 99)];
    let mem = holding(holding(holding(tables(&rows), 20, 77), 30, 88), 21, 99);
    // sshd 20, a shell that holds a connection of its own to elsewhere, sudo, calma.
    let lines = [
        line(1, 0, "systemd"),
        line(20, 1, "sshd-session"),
        line(21, 20, "bash"),
        line(22, 21, "sudo"),
        line(23, 22, "calma"),
        line(30, 1, "sshd"),
    ];
    assert_eq!(came(&mem, &lines, 23), Came::Through(connection("10.0.0.7", 5000)));
    assert_eq!(connection("10.0.0.7", 5000).kept().to_string(), "10.0.0.7 \u{2192} port 22 here");
}

#[test]
fn in_tmux_only_an_only_login_that_still_lives_is_taken() {
    let lines = [
        line(1, 0, "systemd"),
        line(20, 1, "sshd"),
        line(30, 1, "sshd"),
        line(40, 1, "tmux: server"),
        line(41, 40, "bash"),
        line(42, 41, "calma"),
    ];
    let told = |mem: Mem, port: u16| {
        mem.file("/proc/41/environ", format!("A=1\0SSH_CONNECTION=10.0.0.7 {port} 10.0.0.2 22\0"))
    };
    let one = || holding(tables(&[row(1, 22, 7, 5000, 1, 77)]), 20, 77);
    assert_eq!(came(&told(one(), 5000), &lines, 42), Came::Through(connection("10.0.0.7", 5000)));
    // The connection it was started from has ended; another login lives, perhaps somebody else's.
    let only = BTreeSet::from([connection("10.0.0.7", 5000)]);
    assert_eq!(came(&told(one(), 4000), &lines, 42), Came::Unclear(only.clone()));
    assert_eq!(came(&one(), &lines, 42), Came::Unclear(only));
    // Two logins from different peers: which one is meant can not be told.
    let rows = [row(1, 22, 7, 5000, 1, 77), row(2, 22, 8, 6000, 1, 88)];
    let two = told(holding(holding(tables(&rows), 20, 77), 30, 88), 5000);
    let both = BTreeSet::from([connection("10.0.0.7", 5000), connection("10.0.0.8", 6000)]);
    assert_eq!(came(&two, &lines, 42), Came::Unclear(both));
}

#[test]
fn a_console_is_known_and_lies_are_not_believed() {
    let stat = |device: u32| format!("9 (ca) lma) S 1 9 9 {device} 9 0\n");
    let lines = [line(1, 0, "systemd"), line(9, 1, "calma")];
    let at = |device: u32| came(&Mem::running().file("/proc/9/stat", stat(device)), &lines, 9);
    assert_eq!(at(0x0401), Came::Console("a virtual console"));
    assert_eq!(at(0x0440), Came::Console("a serial console"));
    assert_eq!(at(0x8801), Came::Unclear(BTreeSet::new()));
    let lie = Mem::running().file("/proc/9/environ", "SSH_CONNECTION=203.0.113.66 1 10.0.0.2 22\0");
    assert_eq!(came(&lie, &lines, 9), Came::Unclear(BTreeSet::new()));
    // A tree of processes that names itself as its parent ends.
    assert_eq!(came(&Mem::running(), &[line(9, 9, "calma")], 9), Came::Unclear(BTreeSet::new()));
}
