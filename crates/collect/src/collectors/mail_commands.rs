//! Collector: commands that a message starts.

use crate::startup::{Mechanism, Who};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::init_jobs::Command;
use calma_formats::mail_commands as parse;
use calma_host::join;
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "mail-commands",
        doing: "Looking at what a message starts",
        doc: "commands in aliases, forwards, mail filters, and settings of mail servers",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "mail filters and aliases";
const ALIAS: Mechanism = Mechanism { name: "mail alias", when: "when a message comes" };
const FORWARD: Mechanism = Mechanism { name: "mail forward", when: "when a message comes" };
const FILTER: Mechanism = Mechanism { name: "mail filter", when: "when a message comes" };
const SERVER: Mechanism = Mechanism { name: "mail server", when: "when a message comes or goes" };
const VIEWER: Mechanism = Mechanism { name: "mail viewer", when: "when somebody opens a message or a file" };

type Parse = fn(&[u8]) -> Vec<Command>;

/// For the whole system.
const SYSTEM: &[(&[u8], Parse, Mechanism)] = &[
    (b"/etc/procmailrc", parse::procmail, FILTER),
    (b"/etc/procmailrcs/*", parse::procmail, FILTER),
    (b"/etc/maildroprc", parse::procmail, FILTER),
    (b"/etc/courier/maildroprc", parse::procmail, FILTER),
    (b"/etc/dovecot/sieve/*", parse::sieve, FILTER),
    (b"/etc/dovecot/sieve*/*.sieve", parse::sieve, FILTER),
    (b"/var/lib/dovecot/sieve/*.sieve", parse::sieve, FILTER),
    (b"/etc/mailcap", parse::mailcap, VIEWER),
    (b"/etc/mailcap.order", parse::mailcap, VIEWER),
    (b"/usr/local/etc/mailcap", parse::mailcap, VIEWER),
];
/// In a home.
const HOME: &[(&[u8], Parse, Mechanism)] = &[
    (b".forward", parse::aliases, FORWARD),
    (b".forward+*", parse::aliases, FORWARD),
    (b".qmail", parse::aliases, FORWARD),
    (b".qmail-*", parse::aliases, FORWARD),
    (b".procmailrc", parse::procmail, FILTER),
    (b".procmail/*", parse::procmail, FILTER),
    (b".mailfilter", parse::procmail, FILTER),
    (b".mailfilters/*", parse::procmail, FILTER),
    (b".dovecot.sieve", parse::sieve, FILTER),
    (b"sieve/*.sieve", parse::sieve, FILTER),
    (b".sieve", parse::sieve, FILTER),
    (b".mailcap", parse::mailcap, VIEWER),
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    for (pattern, parse, how) in SYSTEM {
        for path in settings::glob(tree, pattern) {
            commands(context, &path, *parse, *how, &Who::everybody(), out)?;
        }
    }
    for home in settings::homes(context) {
        let who = Who::of(&home);
        for (pattern, parse, how) in HOME {
            for path in settings::glob(tree, &join(&home.path, pattern)) {
                commands(context, &path, *parse, *how, &who, out)?;
                // A forward of Exim may be a filter with `pipe` commands.
                if how.name == FORWARD.name {
                    commands(context, &path, parse::procmail, *how, &who, out)?;
                }
            }
        }
    }
    let mut tables: BTreeSet<Vec<u8>> =
        [&b"/etc/aliases"[..], b"/etc/mail/aliases", b"/etc/postfix/aliases"].map(<[u8]>::to_vec).into();
    postfix(context, &mut tables, out)?;
    for table in tables {
        aliases(context, &table, 0, out)?;
    }
    let exim = [
        "/etc/exim4/*.conf",
        "/etc/exim4/*.template",
        "/etc/exim4/conf.d/*/*",
        "/etc/exim/*.conf",
        "/var/lib/exim4/*",
    ];
    for pattern in exim {
        for path in settings::glob(tree, pattern.as_bytes()) {
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for found in parse::exim(&bytes) {
                let who = Who::named(context, found.user.as_bytes());
                SERVER.command_as(context, &path, found.line, found.command.as_bytes(), &who, out)?;
            }
        }
    }
    out.flow()
}

fn commands(context: &Context, path: &[u8], parse: Parse, how: Mechanism, who: &Who, out: &mut Out) -> Flow {
    if context.host.tree().meta(path).is_ok_and(|meta| meta.kind == calma_host::FileKind::Directory) {
        return out.flow();
    }
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for Command { line, command } in parse(&bytes) {
        how.command_as(context, path, line, command.as_bytes(), who, out)?;
    }
    out.flow()
}

/// A table of aliases with the lists it includes.
fn aliases(context: &Context, path: &[u8], depth: usize, out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for Command { line, command } in parse::aliases(&bytes) {
        ALIAS.command(context, path, line, command.as_bytes(), out)?;
    }
    for included in parse::included(&bytes) {
        // Who may change the list may add a command to it.
        settings::describe_place(context, included.as_bytes(), out)?;
        if depth < 4 {
            aliases(context, included.as_bytes(), depth + 1, out)?;
        }
    }
    out.flow()
}

/// Postfix's own commands; adds the tables of aliases it names.
fn postfix(context: &Context, tables: &mut BTreeSet<Vec<u8>>, out: &mut Out) -> Flow {
    const COMMANDS: &[&[u8]] = &[
        b"mailbox_command",
        b"sendmail_path",
        b"mailq_path",
        b"newaliases_path",
        b"debugger_command",
        b"command_execution_directory",
        b"external_command",
    ];
    for path in settings::glob(context.host.tree(), b"/etc/postfix*/main.cf") {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        for (line, name, value) in parse::postfix(&bytes) {
            if COMMANDS.contains(&name.as_bytes()) && !value.is_empty() {
                SERVER.command_as(context, &path, line, value.as_bytes(), &Who::everybody(), out)?;
            } else if matches!(name.as_bytes(), b"alias_maps" | b"alias_database" | b"virtual_alias_maps") {
                let names = value.as_bytes().split(|b| matches!(b, b' ' | b','));
                let paths = names.filter_map(|name| name.splitn(2, |b| *b == b':').nth(1));
                tables.extend(paths.filter(|path| path.starts_with(b"/")).take(32).map(<[u8]>::to_vec));
            }
        }
    }
    for path in settings::glob(context.host.tree(), b"/etc/postfix*/master.cf") {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        for found in parse::master(&bytes) {
            let who = Who::named(context, found.user.as_bytes());
            SERVER.command_as(context, &path, found.line, found.command.as_bytes(), &who, out)?;
        }
    }
    out.flow()
}
