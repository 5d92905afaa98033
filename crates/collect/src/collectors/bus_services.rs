//! Collector: programs that the message bus starts, and what it lets whom do.

use crate::area::{Area, Found};
use crate::startup::{Mechanism, Who, once};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::{agent_commands, bus_policy};
use calma_host::join;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "bus-services",
        doing: "Looking at what the message bus starts",
        doc: "services and policies of the message bus (D-Bus)",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "services of the message bus";
const SYSTEM: Mechanism = Mechanism { name: "bus service", when: "when a program asks the bus for it" };
const SESSION: Mechanism =
    Mechanism { name: "session bus service", when: "when a program of a session asks the bus for it" };
const POLICY: Area = Area("bus policy");

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let above = [
        &b"/etc/dbus-1"[..],
        b"/run/dbus-1",
        b"/usr/local/share/dbus-1",
        b"/usr/share/dbus-1",
        b"/usr/lib/dbus-1",
        b"/lib/dbus-1",
    ];
    for directory in once(context, &above) {
        services(context, &join(directory, b"system-services"), SYSTEM, &Who::root(), out)?;
        services(context, &join(directory, b"services"), SESSION, &Who::everybody(), out)?;
        for name in [&b"system.conf"[..], b"system-local.conf"] {
            policy(context, &join(directory, name), out)?;
        }
        for path in settings::files(context, &join(directory, b"system.d"), WHAT, out)? {
            policy(context, &path, out)?;
        }
    }
    for home in settings::homes(context) {
        let directory = join(&home.path, b".local/share/dbus-1/services");
        services(context, &directory, SESSION, &Who::of(&home), out)?;
    }
    out.flow()
}

fn services(context: &Context, directory: &[u8], how: Mechanism, who: &Who, out: &mut Out) -> Flow {
    for path in settings::files(context, directory, WHAT, out)? {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        // Where the service manager starts it, the command is a stand-in.
        let Some(found) = agent_commands::exec(&bytes) else { continue };
        if matches!(found.command.as_bytes(), b"/bin/false" | b"/usr/bin/false") {
            continue;
        }
        let named = (how.name == SYSTEM.name).then(|| Who::named(context, found.user.as_bytes()));
        how.command_as(
            context,
            &path,
            found.line,
            found.command.as_bytes(),
            named.as_ref().unwrap_or(who),
            out,
        )?;
    }
    out.flow()
}

fn policy(context: &Context, path: &[u8], out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for rule in bus_policy::parse(&bytes) {
        // What a rule narrows by more than one attribute is not said; only what opens everything matters.
        let (name, value) = (rule.name.as_bytes(), rule.value.as_bytes());
        if rule.narrowed && name != b"eavesdrop" {
            continue;
        }
        POLICY.put(
            context,
            path,
            &Found { line: rule.line, name, value, whom: rule.whom.as_bytes() },
            out,
        )?;
    }
    out.flow()
}
