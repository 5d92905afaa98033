//! Collector: what rules of udev run.

use crate::startup::{self, Mechanism};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::udev_rules::{self, Program};
use calma_host::join;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "udev-rules",
        doing: "Looking at what devices start",
        doc: "programs that rules of udev run",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(30),
    },
    collect,
};

const WHAT: &str = "rules of udev";
const RULE: Mechanism = Mechanism { name: "udev rule", when: "when a device appears or changes" };
const DIRECTORIES: &[&[u8]] = &[
    b"/etc/udev/rules.d",
    b"/run/udev/rules.d",
    b"/usr/local/lib/udev/rules.d",
    b"/usr/lib/udev/rules.d",
    b"/lib/udev/rules.d",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    for directory in startup::once(context, DIRECTORIES) {
        for path in settings::files(context, directory, WHAT, out)? {
            if !path.ends_with(b".rules") {
                continue;
            }
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for program in udev_rules::parse(&bytes) {
                let command = in_place(context, &program);
                RULE.command(context, &path, program.line, &command, out)?;
            }
        }
    }
    out.flow()
}

/// The command with its program's path: a name without one is looked for in udev's own directory.
fn in_place(context: &Context, program: &Program) -> Vec<u8> {
    let command = program.command.as_bytes().trim_ascii_start();
    let quote = command.strip_prefix(b"'").or_else(|| command.strip_prefix(b"\""));
    if program.variable || quote.unwrap_or(command).starts_with(b"/") || command.starts_with(b"$") {
        return command.to_vec();
    }
    let name: Vec<u8> = match quote {
        Some(rest) => rest.iter().take_while(|b| !matches!(b, b'\'' | b'"')).copied().collect(),
        None => command.iter().take_while(|b| !b.is_ascii_whitespace()).copied().collect(),
    };
    let tree = context.host.tree();
    let old =
        tree.meta(&join(b"/usr/lib/udev", &name)).is_err() && tree.meta(&join(b"/lib/udev", &name)).is_ok();
    let directory: &[u8] = if old { b"/lib/udev/" } else { b"/usr/lib/udev/" };
    let (open, rest) = if quote.is_some() { command.split_at(1) } else { (&b""[..], command) };
    [open, directory, rest].concat()
}
