//! Collector: scripts and commands of init, and scripts that run at every login to show a message.

use crate::startup::Mechanism;
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::init_jobs;
use calma_host::{join, resolve};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "init-scripts",
        doing: "Looking at scripts that run at boot and at login",
        doc: "scripts and commands of init, and scripts that make the message at login",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(30),
    },
    collect,
};

const WHAT: &str = "scripts that run at boot";
const INIT: Mechanism = Mechanism { name: "init script", when: "at every boot" };
const MESSAGE: Mechanism = Mechanism { name: "motd script", when: "whenever somebody logs in" };

/// Files and patterns of files that init runs as a whole: sysvinit's, OpenRC's, runit's.
const SCRIPTS: &[&[u8]] = &[
    b"/etc/rc.local",
    b"/etc/rc.d/rc.local",
    b"/etc/rc.common",
    b"/etc/local.d/*.start",
    b"/etc/local.d/*.stop",
    b"/etc/service/*/run",
    b"/etc/sv/*/run",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    for pattern in SCRIPTS {
        for path in settings::glob(tree, pattern) {
            INIT.program(context, &path, out)?;
        }
    }
    for directory in crate::startup::once(context, &[b"/etc/init.d", b"/etc/rc.d/init.d"]) {
        for path in settings::files(context, directory, WHAT, out)? {
            INIT.program(context, &path, out)?;
        }
    }
    levels(context, out)?;
    let mut tables = settings::glob(tree, b"/etc/inittab.d/*.tab");
    tables.push(b"/etc/inittab".to_vec());
    for path in tables {
        commands(context, &path, init_jobs::inittab, out)?;
    }
    for path in settings::files(context, b"/etc/init", WHAT, out)? {
        if path.ends_with(b".conf") || path.ends_with(b".override") {
            commands(context, &path, init_jobs::upstart, out)?;
        }
    }
    for directory in [&b"/etc/update-motd.d"[..], b"/usr/share/update-motd.d"] {
        for path in settings::files(context, directory, WHAT, out)? {
            MESSAGE.program(context, &path, out)?;
        }
    }
    out.flow()
}

/// What the directories of run levels hold besides links to the scripts that were looked at already.
fn levels(context: &Context, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    for above in [&b"/etc"[..], b"/etc/rc.d"] {
        for level in [b"S", b"0", b"1", b"2", b"3", b"4", b"5", b"6"] {
            let directory = join(above, &[b"rc", &level[..], b".d"].concat());
            for path in settings::files(context, &directory, WHAT, out)? {
                let real = resolve(tree, &path).unwrap_or_default();
                if !real.ends_with(b"/README")
                    && !matches!(calma_host::parent(&real), b"/etc/init.d" | b"/etc/rc.d/init.d")
                {
                    INIT.program(context, &path, out)?;
                }
            }
        }
    }
    out.flow()
}

fn commands(
    context: &Context,
    path: &[u8],
    parse: fn(&[u8]) -> Vec<init_jobs::Command>,
    out: &mut Out,
) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for command in parse(&bytes) {
        INIT.command(context, path, command.line, command.command.as_bytes(), out)?;
    }
    out.flow()
}
