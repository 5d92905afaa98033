//! Collector: letters that filters and the mail server hand to somebody else.

use crate::area::{Area, Found};
use crate::startup::{Mechanism, Who};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::{mail_commands, mail_rules as parse};
use calma_host::{FileKind, join};
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "mail-rules",
        doing: "Looking at whom letters are handed to",
        doc: "letters that mailboxes' filters and the mail server hand to somebody else",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "mail filters and aliases";
const RULE: Area = Area("mail rule");
const COPY: Area = Area("mail copy");
const FILTER: Mechanism = Mechanism { name: "mail filter", when: "when a message comes" };

/// Stores of mailboxes; below them domains and boxes.
const STORES: &[&[u8]] = &[
    b"/var/vmail",
    b"/var/mail",
    b"/var/mail/vhosts",
    b"/var/mail/vmail",
    b"/var/spool/vmail",
    b"/var/spool/mail",
    b"/home/vmail",
    b"/srv/vmail",
    b"/srv/mail",
    b"/opt/vmail",
    b"/vmail",
    b"/var/lib/dovecot",
    b"/var/lib/vmail",
    b"/var/vmail/vmail1",
    b"/var/qmail/mailnames",
    b"/var/spool/imap/sieve",
    b"/var/lib/imap/sieve",
    b"/var/lib/cyrus/sieve",
    b"/var/spool/sieve",
];
const BOXES: &[&[u8]] = &[b"", b"*", b"*/*", b"*/*/*", b"*/*/*/*"];
const SCRIPTS: &[&[u8]] =
    &[b".dovecot.sieve", b"*.sieve", b"sieve/*", b".sieve", b"sieve/.*.sieve", b".sieve/*"];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let mut seen = BTreeSet::new();
    for home in settings::homes(context) {
        for script in SCRIPTS {
            for path in settings::glob(tree, &join(&home.path, script)) {
                script_of(context, &path, b"", &mut seen, out)?;
            }
        }
    }
    for store in STORES {
        for (depth, script) in
            BOXES.iter().flat_map(|depth| SCRIPTS.iter().map(move |script| (depth, script)))
        {
            let place = if depth.is_empty() { store.to_vec() } else { join(store, depth) };
            for path in settings::glob(tree, &join(&place, script)) {
                script_of(context, &path, b"", &mut seen, out)?;
            }
        }
    }
    for pattern in [
        &b"/etc/dovecot/*.conf"[..],
        b"/etc/dovecot/*/*.conf",
        b"/etc/dovecot/*.ext",
        b"/usr/local/etc/dovecot/*.conf",
    ] {
        for path in settings::glob(tree, pattern) {
            dovecot(context, &path, &mut seen, out)?;
        }
    }
    for path in settings::glob(tree, b"/etc/postfix*/main.cf") {
        postfix(context, &path, out)?;
    }
    out.flow()
}

/// One Sieve script: whom it hands letters to; in one for everybody also what it starts, from the directory of programs.
fn script_of(
    context: &Context,
    path: &[u8],
    programs: &[u8],
    seen: &mut BTreeSet<Vec<u8>>,
    out: &mut Out,
) -> Flow {
    let meta = context.host.tree().meta_followed(path);
    if !meta.is_ok_and(|meta| meta.kind == FileKind::File) || !seen.insert(path.to_vec()) {
        return out.flow();
    }
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for found in parse::redirects(&bytes) {
        let name: &[u8] = match (found.away, found.chosen) {
            (true, true) => b"redirect-chosen-away",
            (true, false) => b"redirect-away",
            (false, true) => b"redirect-chosen",
            (false, false) => b"redirect",
        };
        RULE.put(
            context,
            path,
            &Found { line: found.line, name, value: found.to.as_bytes(), whom: b"" },
            out,
        )?;
    }
    if !programs.is_empty() {
        for found in mail_commands::sieve(&bytes) {
            let command = join(programs, found.command.as_bytes());
            FILTER.command_as(context, path, found.line, &command, &Who::everybody(), out)?;
        }
    }
    out.flow()
}

/// Filters for everybody, and where their programs stand.
fn dovecot(context: &Context, path: &[u8], seen: &mut BTreeSet<Vec<u8>>, out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    let found = parse::dovecot(&bytes);
    let programs = found.iter().find(|(_, name, _)| name.as_bytes().ends_with(b"_bin_dir"));
    let programs = programs.map(|(_, _, place)| place.as_bytes().to_vec()).unwrap_or_default();
    for (line, name, value) in &found {
        RULE.put(
            context,
            path,
            &Found { line: *line, name: b"for-everybody", value: value.as_bytes(), whom: name.as_bytes() },
            out,
        )?;
        let mut scripts = vec![value.as_bytes().to_vec()];
        scripts.extend(settings::glob(context.host.tree(), &join(value.as_bytes(), b"*.sieve")));
        for script in scripts {
            script_of(context, &script, &programs, seen, out)?;
        }
    }
    out.flow()
}

/// Copies that Postfix sends, and the names of its own domains.
fn postfix(context: &Context, path: &[u8], out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    let all = mail_commands::postfix(&bytes);
    let own: Vec<u8> = all
        .iter()
        .filter(|(_, name, _)| {
            matches!(
                name.as_bytes(),
                b"myhostname"
                    | b"mydomain"
                    | b"mydestination"
                    | b"myorigin"
                    | b"virtual_mailbox_domains"
                    | b"virtual_alias_domains"
                    | b"relay_domains"
            )
        })
        .flat_map(|(_, _, value)| [value.as_bytes(), b" "].concat())
        .collect();
    for (line, name, value) in &all {
        match name.as_bytes() {
            b"always_bcc" if !value.is_empty() => {
                COPY.put(
                    context,
                    path,
                    &Found { line: *line, name: b"always_bcc", value: value.as_bytes(), whom: &own },
                    out,
                )?;
            }
            b"sender_bcc_maps" | b"recipient_bcc_maps" => {
                for table in value.as_bytes().split(|b| matches!(b, b' ' | b',')) {
                    let Some((kind, place)) = calma_formats::lines::cut(table, b':') else { continue };
                    if matches!(kind, b"static" | b"inline") {
                        COPY.put(
                            context,
                            path,
                            &Found { line: *line, name: name.as_bytes(), value: place, whom: &own },
                            out,
                        )?;
                    } else if place.starts_with(b"/") {
                        copies(context, place, name.as_bytes(), &own, out)?;
                    }
                }
            }
            _ => {}
        }
    }
    out.flow()
}

/// A table of copies: those for every letter, or for a whole domain.
fn copies(context: &Context, path: &[u8], name: &[u8], own: &[u8], out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for (line, text) in calma_formats::lines::meaningful(&bytes).take(10_000) {
        let words: Vec<&[u8]> = calma_formats::lines::words(text).collect();
        let (Some(first), Some(last)) = (words.first(), words.last()) else { continue };
        if words.len() > 1 && (first.starts_with(b"@") || first.starts_with(b"/") || *first == b"*") {
            COPY.put(context, path, &Found { line, name, value: last, whom: own }, out)?;
        }
    }
    out.flow()
}
