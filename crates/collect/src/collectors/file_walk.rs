//! Collector: one walk over the local file systems, shown to every examiner, each name recorded for the bodyfile.

use crate::{Card, Collector, Context, EXAMINERS, Flow, Needs, Out, Volatility, sweep::sweep};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "file-walk",
        doing: "Walking the file systems",
        doc: "every file of the local file systems, and what of them is told by place, rights, times and first bytes",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(4 * 3600),
    },
    collect,
};

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let examiners = EXAMINERS.iter().filter_map(|card| (card.start)(context)).collect();
    sweep(context, &[b"/"], examiners, out)
}
