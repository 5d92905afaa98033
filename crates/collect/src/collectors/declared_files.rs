//! Collector: files and accounts that the service manager makes or changes by itself.

use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, describe, settings, startup};
use calma_formats::tmpfiles;
use calma_host::resolve;
use calma_record::{Source, kinds};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "declared-files",
        doing: "Looking at files that are made at boot",
        doc: "lines of tmpfiles.d and sysusers.d, and credentials that services are given",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "settings of files that are made at boot";

const FILES: &[&[u8]] = &[
    b"/etc/tmpfiles.d/*.conf",
    b"/run/tmpfiles.d/*.conf",
    b"/usr/local/lib/tmpfiles.d/*.conf",
    b"/usr/lib/tmpfiles.d/*.conf",
    b"/lib/tmpfiles.d/*.conf",
    b"/usr/share/user-tmpfiles.d/*.conf",
    b"/etc/user-tmpfiles.d/*.conf",
    b"/root/.config/user-tmpfiles.d/*.conf",
];
const ACCOUNTS: &[&[u8]] = &[
    b"/etc/sysusers.d/*.conf",
    b"/run/sysusers.d/*.conf",
    b"/usr/local/lib/sysusers.d/*.conf",
    b"/usr/lib/sysusers.d/*.conf",
    b"/lib/sysusers.d/*.conf",
];
/// Where services look for credentials by name (systemd.exec(5), ImportCredential=), and those the whole system was given.
const CREDENTIALS: &[&[u8]] = &[
    b"/etc/credstore/*",
    b"/etc/credstore.encrypted/*",
    b"/run/credstore/*",
    b"/run/credstore.encrypted/*",
    b"/usr/local/lib/credstore/*",
    b"/usr/lib/credstore/*",
    b"/run/credentials/@system/*",
    b"/run/credentials/@encrypted/*",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    for (what, patterns) in [("file", FILES), ("account", ACCOUNTS)] {
        for path in startup::files(context, patterns) {
            let real = resolve(context.host.tree(), &path).unwrap_or_else(|_| path.clone());
            let owner = context.packages().owner(&real);
            // What packages bring to their own places is theirs; in /etc it may have been changed.
            if matches!(owner, Owner::Package(_)) && !real.starts_with(b"/etc/") {
                continue;
            }
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            settings::describe_place(context, &path, out)?;
            for line in tmpfiles::parse(&bytes) {
                put(context, &path, what, &line, &owner, out)?;
            }
        }
    }
    for path in startup::files(context, CREDENTIALS) {
        settings::describe_place(context, &path, out)?;
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let fact = kinds::DeclaredFile {
            path: path.as_slice().into(),
            what: "credential".to_owned(),
            target: name.into(),
            ..kinds::DeclaredFile::default()
        };
        out.fact(Source::file(path.as_slice()), fact)?;
    }
    out.flow()
}

fn put(
    context: &Context,
    path: &[u8],
    what: &str,
    line: &tmpfiles::Line,
    owner: &Owner,
    out: &mut Out,
) -> Flow {
    let mut fact = kinds::DeclaredFile {
        path: path.into(),
        line: line.line,
        what: what.to_owned(),
        action: line.word(0),
        target: line.word(1),
        ..kinds::DeclaredFile::default()
    };
    if what == "file" {
        (fact.mode, fact.user, fact.group) = (line.word(2), line.word(3), line.word(4));
        fact.argument = line.rest.clone();
        if fact.argument.as_bytes().starts_with(b"/") {
            describe::file(context, fact.argument.as_bytes(), out)?;
        }
    } else {
        fact.user = line.word(2);
        let home_and_shell = [line.word(4), line.word(5)];
        fact.argument = home_and_shell.map(|word| word.to_string()).join(" ").trim().into();
    }
    match owner {
        Owner::Package(package) => (fact.package, fact.packages_known) = (Some(package.clone()), true),
        Owner::Nobody => fact.packages_known = true,
        Owner::Unknown => {}
    }
    out.fact(Source::file(path), fact)
}
