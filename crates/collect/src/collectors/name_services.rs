//! Collector: modules of the name service, which every program that looks up a user or host loads.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, libraries, settings, startup};
use calma_formats::nsswitch;
use calma_host::resolve;
use calma_record::{Source, Text, kinds};
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "name-services",
        doing: "Looking at how names are looked up",
        doc: "modules of the name service, configured or merely there",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "settings of the name service";

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let mut asked = BTreeSet::new();
    for path in startup::files(
        context,
        &[b"/etc/nsswitch.conf", b"/usr/etc/nsswitch.conf", b"/usr/share/libc-bin/nsswitch.conf"],
    )
    .into_iter()
    .take(1)
    {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        settings::describe_place(context, &path, out)?;
        for service in nsswitch::parse(&bytes) {
            let name = [b"libnss_", service.name.as_bytes(), b".so.2"].concat();
            let file = libraries::find(tree, &name);
            if let Some(file) = &file {
                describe::file(context, file, out)?;
                asked.insert(resolve(tree, file).unwrap_or_else(|_| file.clone()));
            }
            let fact = kinds::NameService {
                path: path.as_slice().into(),
                line: service.line,
                database: service.database,
                service: service.name,
                file: file.map(Text::from),
            };
            out.fact(Source::file(path.as_slice()), fact)?;
        }
    }
    let libraries: &[&[u8]] = &[
        b"/lib/libnss_*.so*",
        b"/lib/*/libnss_*.so*",
        b"/usr/lib/libnss_*.so*",
        b"/usr/lib/*/libnss_*.so*",
        b"/lib64/libnss_*.so*",
        b"/usr/lib64/libnss_*.so*",
        b"/usr/local/lib/libnss_*.so*",
        b"/usr/local/lib/*/libnss_*.so*",
    ];
    for path in startup::files(context, libraries) {
        if asked.contains(&resolve(tree, &path).unwrap_or_default()) {
            continue;
        }
        describe::file(context, &path, out)?;
        let file = Some(Text::from(path.as_slice()));
        out.fact(
            Source::file(path.as_slice()),
            kinds::NameService { file, ..kinds::NameService::default() },
        )?;
    }
    out.flow()
}
