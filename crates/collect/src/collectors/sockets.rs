//! Collector: sockets of every network namespace, by sock_diag and by /proc/net, with who holds them.

use crate::net::{Descriptors, Key, Known, Views, holder, look};
use crate::{Card, Collector, Context, Flow, Needs, Out, Patience, Volatility};
use calma_record::{Gap, Source, Text, View, kinds::Footprint, kinds::Socket};
use std::collections::{BTreeMap, BTreeSet};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "sockets",
        doing: "Looking at sockets",
        doc: "sockets of every network namespace, and who holds them",
        volatility: Volatility::Seconds,
        needs: Needs::Kernel,
        patience: Duration::from_secs(60),
    },
    collect,
};

/// Pause before another look at what was odd.
const PAUSE: Duration = Duration::from_millis(30);
/// Looks after the first one.
const AGAIN: usize = 2;
/// Modules that asking may load.
const MODULES: [&str; 9] = [
    "inet_diag",
    "tcp_diag",
    "udp_diag",
    "raw_diag",
    "unix_diag",
    "af_packet_diag",
    "netlink_diag",
    "vsock_diag",
    "xsk_diag",
];

/// What is odd about a socket, and must be so in every look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Odd {
    Missing(&'static str),
    Unheld,
}

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let is_loaded = |module: &&&str| tree.meta(format!("/sys/module/{module}").as_bytes()).is_ok();
    let before: Vec<&&str> = MODULES.iter().filter(is_loaded).collect();
    let networks = context.networks();
    networks.report(out)?;
    let mut patience = Patience::new(Duration::from_secs(20));
    let mut looked = Vec::new();
    for known in networks.known.values() {
        let (views, flow) = look(context, known, &mut patience, out);
        flow?;
        looked.push((known, views));
    }
    let mut descriptors = Descriptors::scan(context, false);
    let odd = recheck(context, &looked, &mut descriptors, &mut patience, out)?;
    descriptors.gaps.iter().try_for_each(|gap| out.gap(Gap::clone(gap)))?;
    let mut writer = Writer { context, descriptors: &descriptors, holders: BTreeMap::new() };
    for (known, views) in &looked {
        let blind = is_blind(context, views, &descriptors);
        for (key, seen) in &views.sockets {
            let mut row = seen.row.clone();
            row.views = [(seen.by_diag, "sock_diag"), (seen.by_proc, "proc")]
                .into_iter()
                .filter(|(by, _)| *by)
                .map(|(_, view)| view.to_owned())
                .collect();
            let of_this = odd.get(&known.inode).into_iter().flatten().filter(|(odd, _)| odd == key);
            row.missing = of_this
                .filter_map(|(_, odd)| match odd {
                    Odd::Missing(view) => Some((*view).to_owned()),
                    Odd::Unheld => None,
                })
                .collect();
            let unsure = is_held_by_somebody(&row) && !descriptors.sockets.contains_key(&row.inode);
            let unheld = odd.get(&known.inode).is_some_and(|odd| odd.contains(&(*key, Odd::Unheld)));
            row.holders_known = descriptors.whole() && (!unsure || unheld) && !blind;
            writer.put(known, row, out)?;
        }
        for row in &views.fading {
            let views = vec!["sock_diag".to_owned()];
            writer.put(known, Socket { views, holders_known: true, ..row.clone() }, out)?;
        }
    }
    writer.unlisted(&looked, out)?;
    for module in MODULES.iter().filter(is_loaded).filter(|module| !before.contains(module)) {
        let what = "the kernel loaded a module to answer calma".to_owned();
        let fact = Footprint { what, place: (*module).into(), count: 1, pid: 0 };
        out.fact(Source::kernel(View::Own, "sock_diag"), fact)?;
    }
    Flow::Continue(())
}

/// Whether the holders of this namespace's sockets are out of sight: calma runs in a pid namespace of its own (as in a
/// container that shares the host's network), and nobody it sees holds anything here.
fn is_blind(context: &Context, views: &Views, descriptors: &Descriptors) -> bool {
    /// The first pid namespace's inode number (`PROC_PID_INIT_INO` of `<linux/proc_ns.h>`).
    const FIRST: &[u8] = b"pid:[4026531836]";
    let elsewhere = context.host.tree().link(b"/proc/self/ns/pid").is_ok_and(|link| link != FIRST);
    elsewhere && !views.sockets.keys().any(|(_, inode)| descriptors.sockets.contains_key(inode))
}

/// Whether a socket of this kind usually has a process that holds it.
fn is_held_by_somebody(row: &Socket) -> bool {
    match row.family.as_str() {
        "packet" | "xdp" => true,
        "inet" | "inet6" => match row.protocol.as_str() {
            "tcp" => row.state == "listen" || row.state == "established",
            "udp" | "udplite" => row.local_port != 0,
            _ => true,
        },
        _ => false,
    }
}

type OddOnes = BTreeMap<u64, BTreeSet<(Key, Odd)>>;

fn odd_ones(views: &Views, descriptors: &Descriptors) -> BTreeSet<(Key, Odd)> {
    let mut odd: BTreeSet<(Key, Odd)> =
        views.differences().into_iter().map(|(key, view)| (key, Odd::Missing(view))).collect();
    if descriptors.whole() {
        let unheld = views.sockets.iter().filter(|(key, seen)| {
            is_held_by_somebody(&seen.row) && !descriptors.sockets.contains_key(&key.1)
        });
        odd.extend(unheld.map(|(key, _)| (*key, Odd::Unheld)));
    }
    odd
}

/// Looks again at namespaces where something is odd; what is not so every time was only coming or going.
fn recheck(
    context: &Arc<Context>,
    looked: &[(&Known, Views)],
    descriptors: &mut Descriptors,
    patience: &mut Patience,
    out: &mut Out,
) -> std::ops::ControlFlow<(), OddOnes> {
    let mut odd: OddOnes =
        looked.iter().map(|(known, views)| (known.inode, odd_ones(views, descriptors))).collect();
    odd.retain(|_, odd| !odd.is_empty());
    for _ in 0..AGAIN {
        if odd.is_empty() {
            break;
        }
        std::thread::sleep(PAUSE);
        let mut again = BTreeMap::new();
        for (known, _) in looked.iter().filter(|(known, _)| odd.contains_key(&known.inode)) {
            let (views, flow) = look(context, known, patience, out);
            flow?;
            again.insert(known.inode, views);
        }
        // After the sockets, so that one that was passed to another process in between is found there.
        if odd.values().flatten().any(|(_, odd)| *odd == Odd::Unheld) {
            let fresh = Descriptors::scan(context, true);
            descriptors.gaps.extend(fresh.gaps);
            for (inode, held) in fresh.sockets {
                descriptors.sockets.entry(inode).or_insert(held);
            }
        }
        for (namespace, odd) in &mut odd {
            let still = again.get(namespace).map(|views| odd_ones(views, descriptors)).unwrap_or_default();
            odd.retain(|one| still.contains(one));
        }
        odd.retain(|_, odd| !odd.is_empty());
    }
    std::ops::ControlFlow::Continue(odd)
}

/// Completes rows with their holders and puts them out.
struct Writer<'a> {
    context: &'a Arc<Context>,
    descriptors: &'a Descriptors,
    holders: BTreeMap<u32, crate::net::Holder>,
}

impl Writer<'_> {
    fn put(&mut self, known: &Known, row: Socket, out: &mut Out) -> Flow {
        let mut row = Socket { namespace: known.inode, first_namespace: known.first, ..row };
        let diag = row.views.iter().any(|view| view == "sock_diag");
        let source = if diag {
            Source::kernel(View::Netlink, "sock_diag")
        } else if row.views.iter().any(|view| view == "proc") {
            Source::proc(known.proc_net().unwrap_or_default())
        } else {
            Source::kernel(View::SystemCall, "system.sockprotoname")
        };
        let held = self.descriptors.sockets.get(&row.inode).filter(|_| row.inode != 0);
        let Some(held) = held else { return out.fact(source, row) };
        row.holders = held.count;
        row.pids.clone_from(&held.pids);
        if row.family == "unix" {
            return out.fact(source, row);
        }
        // A row for each program that holds it: a server's socket may have been inherited by something else.
        let mut programs: BTreeMap<Option<Text>, Vec<u32>> = BTreeMap::new();
        for pid in &held.pids {
            self.know(*pid, out)?;
            let program = self.holders.get(pid).and_then(|holder| holder.program.clone());
            programs.entry(program).or_default().push(*pid);
        }
        // The first process holds sockets in trust for the units it starts.
        if programs.len() > 1 {
            programs.retain(|_, pids| pids.as_slice() != [1]);
        }
        for pids in programs.into_values() {
            let mut row = Socket { pids, ..row.clone() };
            self.complete(&mut row);
            out.fact(source.clone(), row)?;
        }
        Flow::Continue(())
    }

    fn know(&mut self, pid: u32, out: &mut Out) -> Flow {
        if !self.holders.contains_key(&pid) {
            let (found, flow) = holder(self.context, pid, out);
            flow?;
            self.holders.insert(pid, found);
        }
        Flow::Continue(())
    }

    fn complete(&self, row: &mut Socket) {
        let holder = row.pids.first().and_then(|pid| self.holders.get(pid));
        if let Some(holder) = holder {
            row.program.clone_from(&holder.program);
            (row.deleted, row.memfd, row.other_root) = (holder.deleted, holder.memfd, holder.other_root);
            row.name.clone_from(&holder.name);
            row.cgroup.clone_from(&holder.cgroup);
        }
    }

    /// Sockets that processes hold and no table shows: of families without a table (AF_XDP on most kernels, AF_VSOCK where
    /// its tables are not built in), and packet and raw sockets, which always stand in the table of their namespace.
    fn unlisted(&mut self, looked: &[(&Known, Views)], out: &mut Out) -> Flow {
        const MOST: usize = 4096;
        let Some(kernel) = self.context.host.kernel() else { return Flow::Continue(()) };
        let listed: BTreeSet<u64> =
            looked.iter().flat_map(|(_, views)| views.sockets.keys().map(|(_, inode)| *inode)).collect();
        let mut unlisted: Vec<_> =
            self.descriptors.sockets.iter().filter(|(inode, _)| !listed.contains(inode)).collect();
        unlisted.sort_by_key(|(inode, _)| **inode);
        for (inode, held) in unlisted.into_iter().take(MOST) {
            let Some(pid) = held.pids.first() else { continue };
            let Ok(name) = kernel.network().socket_protocol(*pid, held.descriptor) else { continue };
            let (family, protocol) = match name.as_bytes() {
                b"XDP" => ("xdp", ""),
                b"AF_VSOCK" => ("vsock", ""),
                b"PACKET" => ("packet", ""),
                b"RAW" => ("inet", "raw"),
                b"RAWv6" => ("inet6", "raw"),
                _ => continue,
            };
            let at = looked.iter().find(|(known, _)| known.pids.contains(pid)).map(|(known, _)| *known);
            let at = at.or_else(|| looked.iter().map(|(known, _)| *known).find(|known| known.first));
            let Some(known) = at else { continue };
            if family == "vsock" {
                let why = "this kernel does not list them; only who holds one can be seen";
                let gap = Gap::new("ports and peers of sockets to the hypervisor (vsock)", why);
                out.gap(gap.instead("ask the hypervisor, or look on a kernel with vsock_diag"))?;
            }
            let row = Socket {
                family: family.to_owned(),
                protocol: protocol.to_owned(),
                inode: *inode,
                views: vec!["descriptor".to_owned()],
                holders_known: true,
                ..Socket::default()
            };
            self.put(known, row, out)?;
        }
        Flow::Continue(())
    }
}
