//! Collector: processes that the listing of /proc leaves out, among the ids most likely in use.

use crate::process::hidden;
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility};
use calma_record::Gap;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "hidden-processes",
        doing: "Looking for hidden processes",
        doc: "processes that answer although the listing of /proc leaves them out",
        volatility: Volatility::Seconds,
        needs: Needs::Kernel,
        patience: Duration::from_secs(20),
    },
    collect,
};

/// Ids below this are asked for here, those above in the look over the whole range.
pub(super) const FEW: u32 = 1 << 17;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let highest = hidden::highest(context);
    if context.options.no_pid_range && highest >= FEW {
        let gap =
            Gap::new("hidden processes with ids above 131,071", "the look over the whole range was left out");
        out.gap(gap.instead("run triage without leaving it out"))?;
    }
    let named = hidden::named(context.host.tree());
    hidden::search(context, 1..highest.saturating_add(1).min(FEW), named, out)
}
