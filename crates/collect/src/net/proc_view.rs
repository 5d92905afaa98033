//! The view of /proc/PID/net on a namespace's sockets.

use super::socket_row;
use calma_formats::proc_net;
use calma_host::{HostError, Tree};
use calma_record::kinds::Socket;

/// Longest table that is read.
const LONGEST: usize = 64 << 20;

/// The tables, and the class of sockets each shows.
const TABLES: [(&str, &str); 14] = [
    ("tcp", "tcp"),
    ("tcp6", "tcp6"),
    ("udp", "udp"),
    ("udp6", "udp6"),
    ("udplite", "udplite"),
    ("udplite6", "udplite6"),
    ("raw", "raw"),
    ("raw6", "raw6"),
    ("icmp", "ping"),
    ("icmp6", "ping6"),
    ("packet", "packet"),
    ("unix", "unix"),
    ("netlink", "netlink"),
    ("protocols", "protocols"),
];

/// One table: the class of its sockets, its text, and whether that is whole.
pub(super) type Table = (&'static str, Result<(Vec<u8>, bool), HostError>);

/// Reads the tables under a folder such as `/proc/1/net`.
pub(super) fn read(tree: &dyn Tree, folder: &str) -> Vec<Table> {
    let one = |(file, class): (&str, &'static str)| {
        let content = tree.read(format!("{folder}/{file}").as_bytes(), LONGEST);
        (class, content.map(|content| (content.bytes, !content.cut)))
    };
    TABLES.into_iter().map(one).collect()
}

/// The rows of a table, each with the number of the interface it is bound to.
pub(super) fn rows(class: &str, text: &[u8]) -> Vec<(Socket, u32)> {
    let plain = |row| (row, 0);
    match class {
        "packet" => proc_net::packet(text)
            .iter()
            .map(|packet| (socket_row::packet(packet), packet.interface))
            .collect(),
        "unix" => proc_net::unix(text).iter().map(socket_row::unix).map(plain).collect(),
        "netlink" => proc_net::netlink(text).iter().map(socket_row::netlink).map(plain).collect(),
        "protocols" => Vec::new(),
        _ => {
            let protocol = class.strip_suffix('6').unwrap_or(class);
            proc_net::inet(text).iter().map(|inet| socket_row::inet(inet, protocol)).map(plain).collect()
        }
    }
}
