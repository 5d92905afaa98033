//! Collector: scripts and programs that the rotation of logs runs.

use crate::startup::Mechanism;
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::logrotate;
use calma_host::{FileKind, resolve};
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "log-rotation",
        doing: "Looking at what the rotation of logs runs",
        doc: "scripts and programs of logrotate",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "settings of logrotate";
const SCRIPT: Mechanism = Mechanism { name: "logrotate script", when: "when logs are rotated, once a day" };
/// More files than this are not followed from one to the next.
const MOST: usize = 1000;

/// Ends of names that logrotate passes over (`tabooext`).
const TABOO: &[&[u8]] = &[
    b",v",
    b".bak",
    b".cfsaved",
    b".disabled",
    b".dpkg-bak",
    b".dpkg-del",
    b".dpkg-dist",
    b".dpkg-new",
    b".dpkg-old",
    b".dpkg-tmp",
    b".rpmnew",
    b".rpmorig",
    b".rpmsave",
    b".swp",
    b".ucf-dist",
    b".ucf-new",
    b".ucf-old",
    b"~",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let mut waiting: Vec<Vec<u8>> =
        [&b"/etc/logrotate.conf"[..], b"/etc/logrotate.d"].map(<[u8]>::to_vec).to_vec();
    let mut seen = BTreeSet::new();
    while let Some(path) = waiting.pop() {
        if seen.len() >= MOST || !seen.insert(path.clone()) {
            continue;
        }
        let kind = resolve(tree, &path).and_then(|real| tree.meta(&real)).map(|meta| meta.kind);
        if matches!(kind, Ok(FileKind::Directory)) {
            let files = settings::files(context, &path, WHAT, out)?;
            waiting.extend(files.into_iter().filter(|file| !TABOO.iter().any(|end| file.ends_with(end))));
            continue;
        }
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        for item in logrotate::parse(&bytes) {
            if item.name != "include" {
                SCRIPT.command(context, &path, item.line, item.value.as_bytes(), out)?;
            } else if item.value.as_bytes().starts_with(b"/") {
                waiting.push(item.value.as_bytes().to_vec());
            }
        }
    }
    out.flow()
}
