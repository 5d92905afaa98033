//! Collector: processes that the listing of /proc leaves out, over the whole range of ids.

use super::hidden_processes::FEW;
use crate::process::hidden;
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility};
use std::collections::BTreeMap;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "pid-range",
        doing: "Looking for hidden processes in the whole range of process ids",
        doc: "processes that answer although /proc leaves them out, over the whole range of process ids",
        // A process that hides stays; connections and ordinary processes are gone sooner.
        volatility: Volatility::UntilReboot,
        needs: Needs::Kernel,
        patience: Duration::from_secs(60),
    },
    collect,
};

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let end = hidden::highest(context).saturating_add(1);
    if end <= FEW {
        return out.flow();
    }
    hidden::search(context, FEW..end, BTreeMap::new(), out)
}
