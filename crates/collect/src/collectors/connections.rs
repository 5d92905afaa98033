//! Collector: connections that the kernel tracks.

use crate::net::{dumped, endpoint};
use crate::{Card, Collector, Context, Flow, Needs, Out, Patience, Volatility};
use calma_formats::conntrack::{Tuple, connection, tcp_state_name};
use calma_host::{Protocol, Request};
use calma_record::{Gap, Source, Text, View, kinds::Connection};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "connections",
        doing: "Looking at tracked connections",
        doc: "connections that the kernel's packet filter tracks",
        volatility: Volatility::Seconds,
        needs: Needs::Kernel,
        patience: Duration::from_secs(30),
    },
    collect,
};

/// Most entries that are kept in all.
const MOST: usize = 200_000;
/// There when the kernel tracks connections; asking where it does not would load the module.
const SIGN: &[u8] = b"/proc/sys/net/netfilter/nf_conntrack_count";

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    if context.host.tree().meta(SIGN).is_err() {
        return Flow::Continue(());
    }
    let mut patience = Patience::new(Duration::from_secs(15));
    let mut left = MOST;
    for known in context.networks().known.values() {
        let (shared, copy) = (Arc::clone(context), known.clone());
        let answers = patience.call(move || {
            // NFNL_SUBSYS_CTNETLINK is 1, IPCTNL_MSG_CT_GET 1.
            let request = Request::dump(Protocol::NETFILTER, 1 << 8 | 1, [0, 0, 0, 0]);
            copy.ask(&shared, &[request])
        });
        let what = "tracked connections of a network namespace";
        let place: Text = known.file.clone().unwrap_or_else(|| "calma's own network namespace".into());
        let answer = match answers {
            Some(Ok(answers)) => answers.into_iter().next(),
            Some(Err(error)) if error.is_missing() => continue,
            Some(Err(error)) => {
                out.gap(Gap::new(what, error.why()).at(place))?;
                continue;
            }
            None => None,
        };
        let Some(answer) = answer else {
            out.gap(Gap::new(what, "the kernel did not answer in time").at(place))?;
            continue;
        };
        let (found, flow) = dumped(&answer, what, &place, out, |_, body| connection(body));
        flow?;
        if found.len() > left {
            out.gap(Gap::new(what, "there are more than calma keeps").at(place))?;
        }
        for connection in found.into_iter().take(left) {
            left -= 1;
            let original = &connection.original;
            let fact = Connection {
                namespace: known.inode,
                protocol: protocol(original.protocol),
                from: endpoint(original.from, original.from_port),
                to: endpoint(original.to, original.to_port),
                answered_by: connection
                    .reply
                    .as_ref()
                    .map(|reply| other(original, reply))
                    .unwrap_or_default(),
                state: connection.tcp_state.map(tcp_state_name).unwrap_or_default().to_owned(),
                answered: connection.status & 2 != 0,
                sent: connection.bytes.map(|(sent, _)| sent),
                received: connection.bytes.map(|(_, received)| received),
                timeout: connection.timeout,
            };
            out.fact(Source::kernel(View::Netlink, "conntrack"), fact)?;
        }
    }
    Flow::Continue(())
}

/// Who answers, if that is not who was asked.
fn other(original: &Tuple, reply: &Tuple) -> String {
    if (reply.from, reply.from_port) == (original.to, original.to_port) {
        String::new()
    } else {
        endpoint(reply.from, reply.from_port)
    }
}

fn protocol(number: u8) -> String {
    match number {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "icmpv6".to_owned(),
        _ => number.to_string(),
    }
}
