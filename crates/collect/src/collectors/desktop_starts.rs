//! Collector: what desktops and graphical logins start.

use crate::startup::{Mechanism, Who};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::agent_commands;
use calma_host::join;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "desktop-starts",
        doing: "Looking at what graphical logins start",
        doc: "autostart files of desktops, and scripts of graphical logins",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "what graphical logins start";
const START: Mechanism = Mechanism { name: "desktop start", when: "when somebody logs in to a desktop" };

/// Directories of autostart files for everybody (Desktop Application Autostart Specification).
const SYSTEM: &[&[u8]] = &[b"/etc/xdg/autostart", b"/usr/share/autostart", b"/usr/share/gnome/autostart"];
/// Scripts for everybody (Xsession(5)).
const SCRIPTS: &[&[u8]] = &[
    b"/etc/X11/Xsession.d/*",
    b"/etc/X11/xinit/xinitrc.d/*",
    b"/etc/X11/xinit/xinitrc",
    b"/etc/X11/Xsession",
    b"/etc/xdg/plasma-workspace/env/*.sh",
    b"/etc/gdm3/*/Default",
    b"/etc/lightdm/*.sh",
];
/// In a home: autostart files, and scripts.
const HOME: &[&[u8]] = &[b".config/autostart", b".kde/Autostart", b".kde4/Autostart"];
const HOME_SCRIPTS: &[&[u8]] = &[
    b".config/autostart-scripts/*",
    b".config/plasma-workspace/env/*",
    b".config/plasma-workspace/shutdown/*",
    b".config/openbox/autostart",
    b".config/lxsession/*/autostart",
    b".xinitrc",
    b".xsession",
    b".xserverrc",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    for directory in SYSTEM {
        entries(context, directory, &Who::everybody(), out)?;
    }
    for pattern in SCRIPTS {
        for path in settings::glob(tree, pattern) {
            START.script_as(context, &path, &Who::everybody(), out)?;
        }
    }
    for home in settings::homes(context) {
        let who = Who::of(&home);
        for directory in HOME {
            entries(context, &join(&home.path, directory), &who, out)?;
        }
        for pattern in HOME_SCRIPTS {
            for path in settings::glob(tree, &join(&home.path, pattern)) {
                START.script_as(context, &path, &who, out)?;
            }
        }
    }
    out.flow()
}

fn entries(context: &Context, directory: &[u8], who: &Who, out: &mut Out) -> Flow {
    for path in settings::files(context, directory, WHAT, out)? {
        if !path.ends_with(b".desktop") {
            continue;
        }
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        if let Some(found) = agent_commands::exec(&bytes) {
            START.command_as(context, &path, found.line, found.command.as_bytes(), who, out)?;
        }
    }
    out.flow()
}
