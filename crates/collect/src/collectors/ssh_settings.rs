//! Collector: settings of the SSH server and client.

use crate::sshd::Reader;
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, settings};
use calma_record::Source;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "ssh-settings",
        doing: "Looking at how SSH lets people in",
        doc: "settings of the SSH server and client, includes followed",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

/// Keywords whose value is a command line.
const COMMANDS: &[&str] = &[
    "authorizedkeyscommand",
    "authorizedprincipalscommand",
    "forcecommand",
    "subsystem",
    "proxycommand",
    "localcommand",
    "knownhostscommand",
    "match",
];
/// Keywords whose value names files.
const FILES: &[&str] = &[
    "trustedusercakeys",
    "authorizedprincipalsfile",
    "include",
    "hostkey",
    "revokedkeys",
    "securitykeyprovider",
    "pkcs11provider",
    "sshdsessionpath",
    "sshdauthpath",
    "xauthlocation",
    "hostkeyagent",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    put(context, &Reader::server(tree), |path| Source::file(path), out)?;
    put(context, &Reader::client(tree), |path| Source::file(path), out)?;
    for home in settings::homes(context) {
        put(context, &Reader::of_home(tree, &home.path), |path| home.source(path), out)?;
    }
    Flow::Continue(())
}

fn put(context: &Context, reader: &Reader<'_>, from: impl Fn(&[u8]) -> Source, out: &mut Out) -> Flow {
    for error in &reader.errors {
        out.unseen("settings of SSH", error)?;
    }
    for path in &reader.files {
        settings::describe_place(context, path, out)?;
    }
    for setting in &reader.settings {
        let keyword = setting.keyword.as_str();
        if COMMANDS.contains(&keyword) {
            describe::command(context, setting.value.as_bytes(), out)?;
        } else if FILES.contains(&keyword) {
            for word in setting.value.as_bytes().split(|b| *b == b' ') {
                if !word.contains(&b'*') {
                    describe::file(context, word, out)?;
                }
            }
        }
        out.fact(from(setting.path.as_bytes()), setting.clone())?;
    }
    Flow::Continue(())
}
