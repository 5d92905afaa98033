//! Both views on the sockets of one network namespace, side by side.

use super::{Answers, Known, dumped, inode_of, message_body, proc_view, socket_row};
use crate::{Context, Flow, Out, Patience};
use calma_formats::{rtnetlink, sock_diag};
use calma_host::{Answer, Cause, HostError, Protocol, Request};
use calma_record::{Gap, Text, kinds::Socket};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What names a socket within a namespace: its class (`tcp6`, `packet`, …) and its inode number.
pub(crate) type Key = (&'static str, u64);

/// One socket and which views showed it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Its row.
    pub(crate) row: Socket,
    /// Whether sock_diag showed it.
    pub(crate) by_diag: bool,
    /// Whether /proc showed it.
    pub(crate) by_proc: bool,
}

/// Both views.
#[derive(Debug, Default)]
pub(crate) struct Views {
    /// Sockets that an open file stands for.
    pub(crate) sockets: BTreeMap<Key, Seen>,
    /// Sockets without one: closing connections, and those not accepted yet.
    pub(crate) fading: Vec<Socket>,
    /// Whether the namespace could be entered.
    pub(crate) entered: bool,
    diag: BTreeSet<&'static str>,
    proc: BTreeSet<&'static str>,
}

impl Views {
    /// The sockets that only one view shows though both answered whole, with the view they are missing from. Sockets that
    /// come or go, and names in which anything can be written, are no difference.
    pub(crate) fn differences(&self) -> BTreeSet<(Key, &'static str)> {
        let mut found = BTreeSet::new();
        for (key, seen) in &self.sockets {
            let class = key.0;
            let compared = matches!(
                class,
                "tcp" | "tcp6" | "udp" | "udp6" | "udplite" | "udplite6" | "raw" | "raw6" | "packet" | "unix"
            );
            let steady =
                matches!(seen.row.state.as_str(), "" | "listen" | "established" | "closed" | "close-wait");
            if !compared || !steady || !self.diag.contains(class) || !self.proc.contains(class) {
                continue;
            }
            match (seen.by_diag, seen.by_proc) {
                (true, false) => drop(found.insert((*key, "proc"))),
                (false, true) if class != "unix" => drop(found.insert((*key, "sock_diag"))),
                _ => {}
            }
        }
        found
    }

    fn add(&mut self, class: &'static str, row: Socket, by_diag: bool) {
        /// Connections in their end phase that are kept; a busy web server has many.
        const FADING: usize = 10_000;
        if row.inode == 0 {
            // The same connection by both views is one row.
            if self.fading.len() < FADING && (by_diag || !self.diag.contains(class)) {
                self.fading.push(row);
            }
            return;
        }
        let seen =
            self.sockets.entry((class, row.inode)).or_insert(Seen { row, by_diag: false, by_proc: false });
        seen.by_diag |= by_diag;
        seen.by_proc |= !by_diag;
    }
}

/// The questions, and the class each answers; `protocol` names the entry of /proc/net/protocols that shows that the kernel
/// has loaded that family, so that asking does not load it.
const DIAG: [(&str, u8, u8, &str); 11] = [
    ("tcp", 2, 6, "TCP"),
    ("tcp6", 10, 6, "TCPv6"),
    ("udp", 2, 17, "UDP"),
    ("udp6", 10, 17, "UDPv6"),
    ("raw", 2, 255, "RAW"),
    ("raw6", 10, 255, "RAWv6"),
    ("unix", 1, 0, "UNIX"),
    ("packet", 17, 0, "PACKET"),
    ("netlink", 16, 255, "NETLINK"),
    ("vsock", 40, 0, "AF_VSOCK"),
    ("xdp", 44, 0, "XDP"),
];

/// `SOCK_DIAG_BY_FAMILY` (sock_diag(7)).
const BY_FAMILY: u16 = 20;
/// `RTM_GETLINK` (rtnetlink(7)).
const GETLINK: u16 = 18;

fn request(family: u8, protocol: u8) -> Request {
    let all = u32::MAX.to_ne_bytes();
    let body = match family {
        // struct inet_diag_req_v2: every state.
        2 | 10 => message_body(&[&[family, protocol, 0, 0][..], &all].concat(), 56),
        // struct unix_diag_req: every state; name, peer and user id.
        1 => {
            let show = 0x45_u32.to_ne_bytes();
            message_body(&[&[family, 0, 0, 0][..], &all, &[0; 4], &show].concat(), 24)
        }
        // struct vsock_diag_req.
        40 => message_body(&[&[family, 0, 0, 0][..], &all].concat(), 24),
        // struct packet_diag_req and its like: basic information and the filter.
        17 => message_body(&[&[family, 0, 0, 0, 0, 0, 0, 0][..], &0x21_u32.to_ne_bytes()].concat(), 20),
        _ => message_body(&[&[family, protocol, 0, 0, 0, 0, 0, 0][..], &1_u32.to_ne_bytes()].concat(), 20),
    };
    Request::dump(Protocol::SOCK_DIAG, BY_FAMILY, body)
}

fn diag_row(class: &str, body: &[u8]) -> Option<(Socket, u32)> {
    Some(match class {
        "unix" => (socket_row::unix(&sock_diag::unix(body)?), 0),
        "packet" => {
            let packet = sock_diag::packet(body)?;
            (socket_row::packet(&packet), packet.interface)
        }
        "netlink" => (socket_row::netlink(&sock_diag::netlink(body)?), 0),
        "vsock" => (socket_row::vsock(&sock_diag::vsock(body)?), 0),
        "xdp" => {
            let xdp = sock_diag::xdp(body)?;
            (socket_row::xdp(&xdp), xdp.interface)
        }
        _ => {
            let inet = sock_diag::inet(body)?;
            let protocol = class.strip_suffix('6').unwrap_or(class);
            (socket_row::inet(&inet, protocol), inet.interface)
        }
    })
}

/// What both views say, not yet taken apart.
struct Raw {
    classes: Vec<&'static str>,
    answers: Answers,
    tables: Vec<proc_view::Table>,
}

fn gather(context: &Context, known: &Known) -> Raw {
    let tree = context.host.tree();
    let mut tables = known.proc_net().map(|folder| proc_view::read(tree, &folder)).unwrap_or_default();
    // The process may have ended, and its number may stand for another one now.
    if let Some(pid) = known.pids.first().filter(|_| !known.own) {
        let now = tree.link(format!("/proc/{pid}/ns/net").as_bytes());
        if now.ok().and_then(|target| inode_of(&target, b"net")) != Some(known.inode) {
            tables.clear();
        }
    }
    let protocols: Option<BTreeSet<Vec<u8>>> =
        tables.iter().find(|(class, _)| *class == "protocols").and_then(|(_, table)| {
            let (text, _) = table.as_ref().ok()?;
            Some(text.split(|b| *b == b'\n').map(|line| first_word(line).to_vec()).collect())
        });
    let loaded = |name: &str| {
        protocols.as_ref().is_none_or(|all| all.iter().any(|protocol| protocol.starts_with(name.as_bytes())))
    };
    let asked: Vec<_> = DIAG.iter().filter(|(_, _, _, name)| loaded(name)).collect();
    let mut requests: Vec<Request> =
        asked.iter().map(|(_, family, protocol, _)| request(*family, *protocol)).collect();
    requests.push(Request::dump(Protocol::ROUTE, GETLINK, message_body(&[], 16)));
    let answers = known.ask(context, &requests);
    Raw { classes: asked.iter().map(|(class, ..)| *class).collect(), answers, tables }
}

fn first_word(line: &[u8]) -> &[u8] {
    calma_formats::lines::words(line).next().unwrap_or_default()
}

/// Looks at a namespace through both views.
pub(crate) fn look(
    context: &Arc<Context>,
    known: &Known,
    patience: &mut Patience,
    out: &mut Out,
) -> (Views, Flow) {
    let mut views = Views::default();
    let flow = fill(context, known, patience, out, &mut views);
    (views, flow)
}

fn fill(
    context: &Arc<Context>,
    known: &Known,
    patience: &mut Patience,
    out: &mut Out,
    views: &mut Views,
) -> Flow {
    let place: Text = known.file.clone().unwrap_or_else(|| "calma's own network namespace".into());
    let (shared, copy) = (Arc::clone(context), known.clone());
    let Some(raw) = patience.call(move || gather(&shared, &copy)) else {
        let gap = Gap::new("sockets of a network namespace", "the kernel did not answer in time").at(place);
        return out.gap(gap.important());
    };
    let mut interfaces = BTreeMap::new();
    let mut rows = Vec::new();
    match &raw.answers {
        Ok(answers) => {
            views.entered = true;
            for (class, answer) in raw.classes.iter().zip(answers) {
                rows.extend(diag_rows(class, answer, &place, views, out)?);
            }
            if let Some(links) = answers.last() {
                let (links, flow) = dumped(links, "names of network interfaces", &place, out, |_, body| {
                    rtnetlink::link(body)
                });
                flow?;
                interfaces.extend(links.into_iter().map(|link| (link.index, link.name)));
            }
        }
        // It ended meanwhile.
        Err(error) if error.is_missing() => {}
        Err(error) => {
            let gap = Gap::new("sockets of a network namespace by sock_diag", error.why()).at(place.clone());
            let gap = if raw.tables.is_empty() { gap.important() } else { gap };
            out.gap(if error.is_denied() {
                gap.instead("run calma as root, outside of any container")
            } else {
                gap
            })?;
        }
    }
    for (class, row, interface) in rows {
        let interface = interfaces.get(&interface).cloned().unwrap_or_default();
        views.add(class, Socket { interface, ..row }, true);
    }
    for (class, table) in raw.tables {
        match table {
            Ok((text, whole)) => {
                if whole {
                    views.proc.insert(class);
                }
                for (row, interface) in proc_view::rows(class, &text) {
                    let interface = interfaces.get(&interface).cloned().unwrap_or_default();
                    views.add(class, Socket { interface, ..row }, false);
                }
            }
            Err(error) => out.unseen("sockets by /proc/net", &error)?,
        }
    }
    out.flow()
}

type Rows = Vec<(&'static str, Socket, u32)>;

fn diag_rows(
    class: &'static str,
    answer: &Result<Answer, HostError>,
    place: &Text,
    views: &mut Views,
    out: &mut Out,
) -> std::ops::ControlFlow<(), Rows> {
    if matches!(answer, Ok(answer) if !answer.cut && !answer.changed) {
        views.diag.insert(class);
    }
    if let Err(error) = answer
        && error.cause != Cause::Unsupported
        && !matches!(class, "vsock" | "xdp")
    {
        let why =
            if error.is_missing() { "this kernel does not list them there".to_owned() } else { error.why() };
        let gap = Gap::new("some sockets by sock_diag, the second view beside /proc/net", why);
        out.gap(gap.at(place.clone()))?;
    }
    let (rows, flow) =
        dumped(answer, "some sockets by sock_diag", place, out, |_, body| diag_row(class, body));
    flow?;
    std::ops::ControlFlow::Continue(
        rows.into_iter().map(|(row, interface)| (class, row, interface)).collect(),
    )
}
