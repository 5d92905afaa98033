//! Collector: programs that run when the machine sleeps, wakes, shuts down or its buttons are pressed.

use crate::startup::{self, Mechanism};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::directives;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "power-hooks",
        doing: "Looking at what runs at shutdown and sleep",
        doc: "programs that run when the machine sleeps, wakes, shuts down or reports an event of its hardware",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "programs that run at shutdown and sleep";
const SLEEP: Mechanism = Mechanism { name: "sleep hook", when: "when the machine sleeps or wakes" };
const SHUTDOWN: Mechanism = Mechanism { name: "shutdown hook", when: "at every shutdown and restart" };
const EVENT: Mechanism = Mechanism { name: "power event", when: "when the hardware reports an event" };

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let sleep: &[&[u8]] = &[
        b"/etc/systemd/system-sleep",
        b"/usr/local/lib/systemd/system-sleep",
        b"/usr/lib/systemd/system-sleep",
        b"/lib/systemd/system-sleep",
        b"/etc/pm/*.d",
        b"/usr/lib/pm-utils/*.d",
        b"/etc/apm/*.d",
    ];
    SLEEP.programs(context, sleep, WHAT, out)?;
    let shutdown: &[&[u8]] = &[
        b"/etc/systemd/system-shutdown",
        b"/usr/local/lib/systemd/system-shutdown",
        b"/usr/lib/systemd/system-shutdown",
        b"/lib/systemd/system-shutdown",
        b"/etc/molly-guard/run.d",
    ];
    SHUTDOWN.programs(context, shutdown, WHAT, out)?;
    // The last program of all: what stands here is given the machine when everything else was stopped.
    SHUTDOWN.program(context, b"/run/initramfs/shutdown", out)?;
    for path in startup::files(context, &[b"/etc/acpi/events/*", b"/etc/apcupsd/apcupsd.conf"]) {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        for directive in directives::parse(&bytes, &[b"action", b"SCRIPTDIR"]) {
            EVENT.command(context, &path, directive.line, directive.value.as_bytes(), out)?;
        }
    }
    EVENT.programs(context, &[b"/etc/apcupsd", b"/etc/acpi", b"/etc/acpi/actions"], WHAT, out)?;
    for path in startup::files(context, &[b"/etc/nut/upsmon.conf", b"/etc/nut/upssched.conf"]) {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        for directive in directives::parse(&bytes, &[b"SHUTDOWNCMD", b"NOTIFYCMD", b"CMDSCRIPT"]) {
            EVENT.command(context, &path, directive.line, directive.value.as_bytes(), out)?;
        }
    }
    out.flow()
}
