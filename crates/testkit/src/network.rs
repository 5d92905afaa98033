//! Sockets, their holders and interfaces of an in-memory host.

use calma_host::{Mem, Namespace, Protocol};

/// A process that holds sockets (inode numbers), in the network namespace of this number.
pub fn holder(mem: Mem, pid: u32, program: &str, cgroup: &str, namespace: u64, inodes: &[u64]) -> Mem {
    let name: String =
        program.trim_end_matches(" (deleted)").rsplit('/').next().unwrap().chars().take(15).collect();
    let mut mem = mem
        .file(format!("/proc/{pid}/comm"), format!("{name}\n"))
        .file(format!("/proc/{pid}/cgroup"), format!("0::{cgroup}\n"))
        .symlink(format!("/proc/{pid}/exe"), program)
        .symlink(format!("/proc/{pid}/ns/net"), format!("net:[{namespace}]"))
        .directory(format!("/proc/{pid}/fd"));
    for (at, inode) in inodes.iter().enumerate() {
        mem = mem.symlink(format!("/proc/{pid}/fd/{}", at + 3), format!("socket:[{inode}]"));
    }
    mem
}

/// A host that runs, whose package list names these programs; all of them are there.
pub fn host(packaged: &[&str]) -> Mem {
    let list = format!("/.\n{}\n", packaged.join("\n"));
    let mem = Mem::running()
        .symlink("/proc/self/ns/net", "net:[1]")
        .symlink("/proc/1/ns/net", "net:[1]")
        .directory("/proc/1/fd")
        .file("/var/lib/dpkg/info/server.list", list);
    packaged.iter().fold(mem, |mem, path| mem.file(path, "\x7fELF packaged"))
}

/// One socket of a table such as /proc/net/tcp: state (10 listening, 1 established, 7 UDP), own and peer's port, user, inode.
pub type Line = (u8, u16, u16, u32, u64);

/// A table of /proc/PID/net: `who` is `self` or a process id, `table` `tcp`, `udp`, `raw`.
pub fn table(mem: Mem, who: &str, table: &str, lines: &[Line]) -> Mem {
    let mut text = "  sl  local_address rem_address   st tx_queue rx_queue tr\n".to_owned();
    for (at, (state, port, peer, uid, inode)) in lines.iter().enumerate() {
        let remote = if *peer == 0 { "00000000" } else { "0A0200CB" };
        text += &format!(
            "{at:4}: 00000000:{port:04X} {remote}:{peer:04X} {state:02X} 00000000:00000000 00:00000000 00000000 {uid:5} 0 {inode} 1 0\n"
        );
    }
    mem.file(format!("/proc/{who}/net/{table}"), text)
}

/// Packet sockets by sock_diag: inode, Ethernet protocol, interface, and whether a filter of two instructions is attached.
pub fn packets(mem: Mem, sockets: &[(u32, u16, u32, bool)]) -> Mem {
    let messages: Vec<(u16, Vec<u8>)> = sockets
        .iter()
        .map(|(inode, protocol, interface, filter)| {
            let mut body = vec![17, 3];
            body.extend(protocol.to_ne_bytes());
            body.extend(inode.to_ne_bytes());
            body.extend([0; 8]);
            body.extend([24, 0, 0, 0]);
            body.extend(interface.to_ne_bytes());
            body.extend([0; 16]);
            if *filter {
                body.extend([20, 0, 7, 0]);
                body.extend([0x28, 0, 0, 0, 12, 0, 0, 0, 0x15, 0, 0, 1, 0x55, 0x72, 0, 0]);
            }
            (20, body)
        })
        .collect();
    mem.network(|network| {
        network.answer(Namespace::Own, Protocol::SOCK_DIAG, 20, [17], messages);
    })
}

/// TCP sockets by sock_diag: state, own port, inode.
pub fn tcp_by_diag(mem: Mem, sockets: &[(u8, u16, u32)]) -> Mem {
    let messages: Vec<(u16, Vec<u8>)> = sockets
        .iter()
        .map(|(state, port, inode)| {
            let mut body = vec![2, *state, 0, 0];
            body.extend(port.to_be_bytes());
            body.resize(68, 0);
            body.extend(inode.to_ne_bytes());
            (20, body)
        })
        .collect();
    mem.network(|network| {
        network.answer(Namespace::Own, Protocol::SOCK_DIAG, 20, [2, 6], messages);
    })
}

/// An interface for [`links`].
#[derive(Clone, Debug, Default)]
pub struct Wire<'a> {
    /// Name.
    pub name: &'a str,
    /// Kind of the interface it is a port of.
    pub master_kind: &'a str,
    /// Whether it was made promiscuous by hand.
    pub promiscuous: bool,
    /// How many want it promiscuous.
    pub promiscuity: u32,
    /// Id of its XDP program, 0 if none.
    pub xdp: u32,
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(value.len() + 4).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Interfaces by rtnetlink, numbered from 1.
pub fn links(mem: Mem, wires: &[Wire<'_>]) -> Mem {
    let messages: Vec<(u16, Vec<u8>)> = (1_u32..)
        .zip(wires)
        .map(|(index, wire)| {
            let mut body = vec![0, 0, 1, 0];
            body.extend(index.to_ne_bytes());
            body.extend((1 | u32::from(wire.promiscuous) << 8).to_ne_bytes());
            body.extend([0; 4]);
            body.extend(attribute(3, &[wire.name.as_bytes(), b"\0"].concat()));
            body.extend(attribute(30, &wire.promiscuity.to_ne_bytes()));
            if !wire.master_kind.is_empty() {
                body.extend(attribute(10, &99_u32.to_ne_bytes()));
                body.extend(attribute(18, &attribute(4, &[wire.master_kind.as_bytes(), b"\0"].concat())));
            }
            if wire.xdp != 0 {
                body.extend(attribute(43, &attribute(4, &wire.xdp.to_ne_bytes())));
            }
            (16, body)
        })
        .collect();
    mem.network(|network| network.answer(Namespace::Own, Protocol::ROUTE, 18, [], messages))
}
