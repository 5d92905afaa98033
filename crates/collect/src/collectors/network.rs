//! Collector: network namespaces with their interfaces, routes, neighbours and packet filter tables.

use crate::net::{Answers, Known, dumped, message_body};
use crate::{Card, Collector, Context, Flow, Needs, Out, Patience, Volatility};
use calma_formats::{nf_tables, proc_net, rtnetlink};
use calma_host::{Answer, HostError, Protocol, Request};
use calma_record::kinds::{Interface, Neighbour, NetfilterTable, NetworkNamespace, Route};
use calma_record::{Gap, Source, Text, View};
use std::collections::BTreeMap;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "network",
        doing: "Looking at the network",
        doc: "network namespaces, interfaces, routes, neighbours, packet filter tables",
        volatility: Volatility::UntilReboot,
        needs: Needs::Kernel,
        patience: Duration::from_secs(60),
    },
    collect,
};

/// Routes and neighbours that are kept for one namespace.
const MOST: usize = 4096;

/// What is asked in each namespace, in this order: message types of rtnetlink(7) and of nf_tables.
const LINKS: usize = 0;
const ADDRESSES: usize = 1;
const ROUTES: usize = 2;
const NEIGHBOURS: usize = 3;
const QUEUES: usize = 4;
const TABLES: usize = 5;
const CHAINS: usize = 6;

fn requests() -> Vec<Request> {
    // NFNL_SUBSYS_NFTABLES is 10, NFT_MSG_GETTABLE 1, NFT_MSG_GETCHAIN 4.
    let nf_tables = |message: u16| Request::dump(Protocol::NETFILTER, 10 << 8 | message, [0, 0, 0, 0]);
    let route = |message, length| Request::dump(Protocol::ROUTE, message, message_body(&[], length));
    vec![route(18, 16), route(22, 8), route(26, 12), route(30, 12), route(38, 20), nf_tables(1), nf_tables(4)]
}

type Rows = Vec<Result<Answer, HostError>>;

fn ask(
    context: &Arc<Context>,
    known: &Known,
    requests: Vec<Request>,
    patience: &mut Patience,
) -> Option<Answers> {
    let (shared, known) = (Arc::clone(context), known.clone());
    patience.call(move || known.ask(&shared, &requests))
}

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let networks = context.networks();
    let mut patience = Patience::new(Duration::from_secs(20));
    for known in networks.known.values() {
        let answers = ask(context, known, requests(), &mut patience);
        let mut entered = false;
        match answers {
            Some(Ok(answers)) => {
                entered = true;
                Namespace { context, known }.all(&answers, &mut patience, out)?;
            }
            // It ended meanwhile.
            Some(Err(error)) if error.is_missing() => continue,
            Some(Err(error)) => out.gap(
                Gap::new("interfaces, routes and packet filter of a network namespace", error.why())
                    .at(error.place.as_bytes()),
            )?,
            None => out.gap(
                Gap::new("interfaces, routes and packet filter of a network namespace", "it did not answer")
                    .at(known.file.clone().unwrap_or_default()),
            )?,
        }
        legacy(context, known, out)?;
        let fact = NetworkNamespace {
            inode: known.inode,
            own: known.own,
            first: known.first,
            found: known.found.iter().map(|by| (*by).to_owned()).collect(),
            pids: known.pids.clone(),
            processes: known.processes,
            mounts: known.mounts.clone(),
            entered,
        };
        let place = known.file.clone().unwrap_or_else(|| "/proc/self/ns/net".into());
        out.fact(Source { place, ..Source::proc("") }, fact)?;
    }
    Flow::Continue(())
}

/// One namespace while its answers are put out.
struct Namespace<'a> {
    context: &'a Arc<Context>,
    known: &'a Known,
}

impl Namespace<'_> {
    fn rows<T>(
        &self,
        answers: &Rows,
        which: usize,
        what: &str,
        out: &mut Out,
        parse: impl Fn(u16, &[u8]) -> Option<T>,
    ) -> std::ops::ControlFlow<(), Vec<T>> {
        let Some(answer) = answers.get(which) else { return std::ops::ControlFlow::Continue(Vec::new()) };
        let place: Text = self.known.file.clone().unwrap_or_else(|| "calma's own network namespace".into());
        let (rows, flow) = dumped(answer, what, &place, out, parse);
        flow.map_continue(|()| rows)
    }

    fn all(&self, answers: &Rows, patience: &mut Patience, out: &mut Out) -> Flow {
        let links = self.rows(answers, LINKS, "network interfaces", out, |_, body| rtnetlink::link(body))?;
        let names: BTreeMap<u32, Text> = links.iter().map(|link| (link.index, link.name.clone())).collect();
        self.links(&links, &names, answers, patience, out)?;
        self.routes(&names, answers, out)?;
        self.neighbours(&names, answers, out)?;
        self.tables(answers, out)
    }

    fn links(
        &self,
        links: &[rtnetlink::Link],
        names: &BTreeMap<u32, Text>,
        answers: &Rows,
        patience: &mut Patience,
        out: &mut Out,
    ) -> Flow {
        let addresses =
            self.rows(answers, ADDRESSES, "addresses of network interfaces", out, |_, body| {
                rtnetlink::interface_address(body)
            })?;
        let filters = self.filters(answers, patience, out)?;
        let name =
            |index: Option<u32>| index.and_then(|index| names.get(&index)).cloned().unwrap_or_default();
        for link in links {
            let of_this = addresses.iter().filter(|(index, ..)| *index == link.index);
            // The two ends of a veth pair name each other as beneath them.
            let stacked = links.iter().filter(|upper| {
                upper.kind != "veth"
                    && upper.lower == Some(link.index)
                    && upper.other_namespace.is_none()
                    && upper.index != link.index
            });
            let fact = Interface {
                namespace: self.known.inode,
                first_namespace: self.known.first,
                name: link.name.clone(),
                index: link.index,
                kind: link.kind.clone(),
                up: link.flags & 1 != 0,
                hardware: hardware(&link.address),
                addresses: of_this
                    .map(|(_, address, prefix)| format!("{address}/{prefix}"))
                    .take(256)
                    .collect(),
                master: name(link.master),
                master_kind: link.master_kind.clone(),
                promiscuous: link.flags & 0x100 != 0,
                promiscuity: link.promiscuity,
                xdp: link.xdp.clone(),
                filters: filters.get(&link.index).cloned().unwrap_or_default(),
                uppers: stacked.map(|upper| upper.name.clone()).take(64).collect(),
            };
            out.fact(Source::kernel(View::Netlink, "rtnetlink"), fact)?;
        }
        Flow::Continue(())
    }

    /// The BPF filters of traffic control, by interface.
    fn filters(
        &self,
        answers: &Rows,
        patience: &mut Patience,
        out: &mut Out,
    ) -> std::ops::ControlFlow<(), BTreeMap<u32, Vec<String>>> {
        /// Parents of filters at the way in and the way out (`TC_H_MIN_INGRESS`, `TC_H_MIN_EGRESS` of `<linux/pkt_sched.h>`).
        const IN: u32 = 0xffff_fff2;
        const OUT: u32 = 0xffff_fff3;
        /// `RTM_GETTFILTER`.
        const GETTFILTER: u16 = 46;
        let queues = self.rows(answers, QUEUES, "traffic control", out, |_, body| rtnetlink::queue(body))?;
        let mut parents = Vec::new();
        for (interface, handle, kind) in queues.into_iter().take(1024) {
            match kind.as_bytes() {
                b"clsact" => parents.extend([(interface, IN), (interface, OUT)]),
                b"ingress" => parents.push((interface, IN)),
                _ if handle != 0 => parents.push((interface, handle)),
                _ => {}
            }
        }
        let request = |(interface, parent): &(u32, u32)| {
            let body =
                [&[0; 4][..], &interface.to_ne_bytes(), &[0; 4], &parent.to_ne_bytes(), &[0; 4]].concat();
            Request::dump(Protocol::ROUTE, GETTFILTER, body)
        };
        let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        if parents.is_empty() {
            return std::ops::ControlFlow::Continue(found);
        }
        let answers = ask(self.context, self.known, parents.iter().map(request).collect(), patience);
        let Some(Ok(answers)) = answers else {
            out.gap(Gap::new("traffic filters", "the kernel did not answer"))?;
            return std::ops::ControlFlow::Continue(found);
        };
        for which in 0..answers.len() {
            let filters = self
                .rows(&answers, which, "traffic filters", out, |_, body| rtnetlink::traffic_filter(body))?;
            for filter in filters {
                let way = match filter.parent {
                    IN | 0xffff_0000 => "in",
                    OUT => "out",
                    _ => "queue",
                };
                let text = format!("{way}: {} (program {})", filter.name, filter.program);
                let of_this = found.entry(filter.interface).or_default();
                if of_this.len() < 64 && !of_this.contains(&text) {
                    of_this.push(text);
                }
            }
        }
        std::ops::ControlFlow::Continue(found)
    }

    fn routes(&self, names: &BTreeMap<u32, Text>, answers: &Rows, out: &mut Out) -> Flow {
        let routes = self.rows(answers, ROUTES, "routes", out, |_, body| rtnetlink::route(body))?;
        // The local table repeats the addresses.
        let kept: Vec<_> = routes.into_iter().filter(|route| route.table != 255 && route.kind != 2).collect();
        if kept.len() > MOST {
            out.gap(Gap::new("some routes", "there are more than calma keeps"))?;
        }
        for route in kept.into_iter().take(MOST) {
            let destination = match (route.destination, route.family) {
                (Some(address), _) => format!("{address}/{}", route.prefix),
                (None, 10) => "default6".to_owned(),
                (None, _) => "default".to_owned(),
            };
            let fact = Route {
                namespace: self.known.inode,
                destination,
                gateway: route.gateway.map(|gateway| gateway.to_string()).unwrap_or_default(),
                interface: route.interface.and_then(|index| names.get(&index)).cloned().unwrap_or_default(),
                table: route.table,
                metric: route.metric,
                kind: route_kind(route.kind).to_owned(),
                protocol: route.protocol.into(),
            };
            out.fact(Source::kernel(View::Netlink, "rtnetlink"), fact)?;
        }
        Flow::Continue(())
    }

    fn neighbours(&self, names: &BTreeMap<u32, Text>, answers: &Rows, out: &mut Out) -> Flow {
        let neighbours =
            self.rows(answers, NEIGHBOURS, "neighbours", out, |_, body| rtnetlink::neighbour(body))?;
        // Entries without a state of their own (0x40: no ARP) are multicast and loopback.
        for neighbour in neighbours.into_iter().filter(|neighbour| neighbour.state & 0x40 == 0).take(MOST) {
            let fact = Neighbour {
                namespace: self.known.inode,
                address: neighbour.address.to_string(),
                hardware: hardware(&neighbour.hardware),
                interface: names.get(&neighbour.interface).cloned().unwrap_or_default(),
                state: neighbour_state(neighbour.state).to_owned(),
            };
            out.fact(Source::kernel(View::Netlink, "rtnetlink"), fact)?;
        }
        Flow::Continue(())
    }

    fn tables(&self, answers: &Rows, out: &mut Out) -> Flow {
        let tables = self.rows(answers, TABLES, "nf_tables", out, |_, body| nf_tables::table(body))?;
        let chains = self.rows(answers, CHAINS, "nf_tables", out, |_, body| nf_tables::chain(body))?;
        for table in tables.into_iter().take(MOST) {
            let of_this = || chains.iter().filter(|c| c.family == table.family && c.table == table.name);
            let fact = NetfilterTable {
                namespace: self.known.inode,
                framework: "nf_tables".to_owned(),
                family: table.family.to_owned(),
                name: table.name.clone(),
                owner: table.owner,
                chains: of_this().take(256).map(chain_text).collect(),
                rules: of_this().fold(0, |sum, chain| sum.saturating_add(chain.uses)),
            };
            out.fact(Source::kernel(View::Netlink, "nf_tables"), fact)?;
        }
        Flow::Continue(())
    }
}

fn chain_text(chain: &nf_tables::Chain) -> String {
    let hook = chain.hook.map_or_else(String::new, |(hook, priority)| {
        let drops = if chain.drops { ", drops what does not match" } else { "" };
        format!("hook {hook}, priority {priority}{drops}, ")
    });
    format!("{} ({hook}{} uses)", chain.name, chain.uses)
}

/// Tables of iptables without nf_tables, which each have a name in these files (iptables(8)).
fn legacy(context: &Arc<Context>, known: &Known, out: &mut Out) -> Flow {
    let Some(folder) = known.proc_net() else { return Flow::Continue(()) };
    for (file, family) in
        [("ip_tables_names", "ip"), ("ip6_tables_names", "ip6"), ("arp_tables_names", "arp")]
    {
        let path = format!("{folder}/{file}");
        let names = match context.host.tree().read(path.as_bytes(), 64 << 10) {
            Ok(content) => proc_net::names(&content.bytes),
            Err(error) => {
                out.unseen("tables of iptables", &error)?;
                continue;
            }
        };
        for name in names.into_iter().take(64) {
            let (framework, family) = ("legacy".to_owned(), family.to_owned());
            let fact =
                NetfilterTable { namespace: known.inode, framework, family, name, ..Default::default() };
            out.fact(Source::proc(path.as_str()), fact)?;
        }
    }
    Flow::Continue(())
}

fn hardware(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

/// `RTN_` numbers of `<linux/rtnetlink.h>`.
fn route_kind(kind: u8) -> &'static str {
    const NAMES: [&str; 12] = [
        "unknown",
        "unicast",
        "local",
        "broadcast",
        "anycast",
        "multicast",
        "blackhole",
        "unreachable",
        "prohibit",
        "throw",
        "nat",
        "external",
    ];
    NAMES.get(usize::from(kind)).copied().unwrap_or("unknown")
}

/// `NUD_` bits of `<linux/neighbour.h>`.
fn neighbour_state(state: u16) -> &'static str {
    match state {
        0x01 => "incomplete",
        0x02 => "reachable",
        0x04 => "stale",
        0x08 => "delay",
        0x10 => "probe",
        0x20 => "failed",
        0x80 => "permanent",
        _ => "none",
    }
}
