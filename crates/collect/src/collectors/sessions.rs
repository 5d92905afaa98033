//! Collector: who is logged in, as the host's own lists say.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::sessions;
use calma_host::join;
use calma_record::{Gap, Source, Text};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "sessions",
        doing: "Looking at who is logged in",
        doc: "login sessions in utmp and in systemd-logind's files",
        volatility: Volatility::Seconds,
        needs: Needs::Tree,
        patience: Duration::from_secs(5),
    },
    collect,
};

const WHAT: &str = "login sessions";

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let places = [&b"/run/utmp"[..], b"/var/run/utmp"];
    if let Some(path) = places.into_iter().find(|path| tree.meta_followed(path).is_ok()) {
        let bytes = settings::read(context, path, WHAT, out)?.unwrap_or_default();
        for mut row in sessions::utmp(&bytes) {
            row.path = path.into();
            out.fact(Source::file(path), row)?;
        }
    }
    for path in settings::files(context, b"/run/systemd/sessions", WHAT, out)? {
        let name = Text::from(path.as_slice());
        // Sockets and pipes of the sessions stand there too.
        if name.file_name().ends_with(b".ref") {
            continue;
        }
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        match sessions::logind(&bytes) {
            Some(mut row) => {
                row.session = name.file_name().into();
                row.path = join(b"/run/systemd/sessions", name.file_name()).into();
                out.fact(Source::file(path.as_slice()), row)?;
            }
            None => out.gap(
                Gap::new(WHAT, "the file is not in the form that systemd-logind writes").at(path.as_slice()),
            )?,
        }
    }
    out.flow()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Item, Options, gather};
    use calma_host::Mem;
    use calma_record::Fact;

    #[test]
    fn sessions_of_both_lists_come_out() {
        let mut record = vec![7, 0, 0, 0, 41, 0, 0, 0];
        record.resize(384, 0);
        let host = Mem::new()
            .file("/run/utmp", record)
            .file("/run/systemd/sessions/c1", "UID=0\nUSER=root\nLEADER=7\n")
            .fifo("/run/systemd/sessions/c1.ref");
        let items = gather(&COLLECTOR, &Context::new(Arc::new(host), Options::default()));
        let sessions = items
            .iter()
            .filter(|item| matches!(item, Item::Fact(_, fact) if matches!(**fact, Fact::Session(_))));
        assert_eq!((sessions.count(), items.len()), (2, 2));
    }
}
