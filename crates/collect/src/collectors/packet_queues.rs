//! Collector: programs that decide about packets for the kernel's packet filter.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, pids};
use calma_formats::packet_queue;
use calma_record::{Gap, Source, kinds};
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "packet-queues",
        doing: "Looking at who decides about packets",
        doc: "queues through which a program takes packets out of the packet filter",
        volatility: Volatility::UntilReboot,
        needs: Needs::Kernel,
        patience: Duration::from_secs(10),
    },
    collect,
};

/// No more network namespaces than this are looked at.
const NAMESPACES: usize = 512;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let mut seen = BTreeSet::new();
    for pid in pids::listed(context) {
        let Ok(namespace) = pids::namespace(context, &pid.to_string(), "net") else { continue };
        if seen.len() >= NAMESPACES || !seen.insert(namespace) {
            continue;
        }
        let path = format!("/proc/{pid}/net/netfilter/nfnetlink_queue");
        let Ok(content) = context.host.tree().read(path.as_bytes(), 1 << 20) else { continue };
        for queue in packet_queue::parse(&content.bytes) {
            let fact = kinds::KernelSetting {
                name: format!("netfilter.queue.{}", queue.number).into(),
                value: queue.port.to_string().into(),
                path: path.as_str().into(),
                runs: None,
            };
            out.fact(Source::proc(path.as_str()), fact)?;
        }
    }
    let why = "few kernels list them, and a module that hides does not list its own";
    out.gap(
        Gap::new("code of kernel modules that is hooked into the packet filter", why)
            .instead("judge the machine from outside: watch its packets on another machine"),
    )
}
