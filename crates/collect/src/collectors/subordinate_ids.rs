//! Collector: ids that users may take in their own namespaces, and accounts whose services run without them.

use crate::area::{Area, Found};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::lines;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "subordinate-ids",
        doing: "Looking at ids and services of users",
        doc: "ranges of ids that users may take (subuid(5), subgid(5)), and accounts that linger",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(10),
    },
    collect,
};

const WHAT: &str = "ranges of ids of users";
const RANGE: Area = Area("subordinate ids");
const LINGER: Area = Area("linger");

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    for (path, name) in [(&b"/etc/subuid"[..], &b"user"[..]), (b"/etc/subgid", b"group")] {
        let Some(bytes) = settings::read(context, path, WHAT, out)? else { continue };
        for (line, text) in lines::meaningful(&bytes).take(10_000) {
            let Some((whom, value)) = lines::cut(text, b':') else { continue };
            RANGE.put(context, path, &Found { line, name, value, whom }, out)?;
        }
    }
    for path in settings::files(context, b"/var/lib/systemd/linger", WHAT, out)? {
        let whom = path.rsplit(|b| *b == b'/').next().unwrap_or_default().to_vec();
        LINGER.put(context, &path, &Found { line: 0, name: b"linger", value: b"", whom: &whom }, out)?;
    }
    out.flow()
}
