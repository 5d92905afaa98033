//! Collector: what polkit allows without a question.

use crate::area::{Area, Found};
use crate::startup::{Mechanism, once};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, settings};
use calma_formats::polkit::{self, Grant};
use calma_host::join;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "polkit-rules",
        doing: "Looking at what polkit allows",
        doc: "rules, local authority and actions of polkit",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "rules of polkit";
const RULE: Area = Area("polkit rule");
const ACTION: Area = Area("polkit action");
const SPAWN: Mechanism = Mechanism { name: "polkit rule", when: "whenever polkit is asked" };

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let above =
        [&b"/etc/polkit-1"[..], b"/run/polkit-1", b"/usr/local/share/polkit-1", b"/usr/share/polkit-1"];
    for directory in once(context, &above) {
        for path in settings::files(context, &join(directory, b"rules.d"), WHAT, out)? {
            if !path.ends_with(b".rules") {
                continue;
            }
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            describe::file(context, &path, out)?;
            grants(context, &path, &polkit::rules(&bytes), out)?;
            for command in polkit::commands(&bytes) {
                SPAWN.command(context, &path, command.line, command.command.as_bytes(), out)?;
            }
        }
        for path in settings::files(context, &join(directory, b"actions"), WHAT, out)? {
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for action in polkit::actions(&bytes).iter().filter(|action| action.any || action.active) {
                let value = if action.any { &b"yes"[..] } else { b"yes at this computer" };
                let found = Found {
                    line: action.line,
                    name: action.id.as_bytes(),
                    value,
                    whom: action.program.as_bytes(),
                };
                describe::file(context, action.program.as_bytes(), out)?;
                ACTION.put(context, &path, &found, out)?;
            }
        }
    }
    for pattern in [
        &b"/etc/polkit-1/localauthority/*/*.pkla"[..],
        b"/var/lib/polkit-1/localauthority/*/*.pkla",
        b"/etc/polkit-1/localauthority.conf.d/*.conf",
    ] {
        for path in settings::glob(tree, pattern) {
            if let Some(bytes) = settings::read(context, &path, WHAT, out)? {
                grants(context, &path, &polkit::local_authority(&bytes), out)?;
            }
        }
    }
    out.flow()
}

/// One fact for each whom a right is given to.
fn grants(context: &Context, path: &[u8], all: &[Grant], out: &mut Out) -> Flow {
    for grant in all {
        let names = grant.actions.iter().map(|action| action.as_bytes()).collect::<Vec<_>>().join(&b' ');
        let name = if names.is_empty() { &b"*"[..] } else { &names };
        let value = match (grant.administrator, grant.seat) {
            (true, _) => &b"administrator"[..],
            (_, true) => b"yes at this computer",
            _ => b"yes",
        };
        for whom in grant.whom.iter().take(256) {
            RULE.put(context, path, &Found { line: grant.line, name, value, whom: whom.as_bytes() }, out)?;
        }
    }
    out.flow()
}
