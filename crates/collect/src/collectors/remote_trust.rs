//! Collector: files that let others log in by name, host or ticket, and tables of keys for Kerberos.

use crate::area::{Area, Found};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::lines;
use calma_host::join;
use calma_record::Source;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "remote-trust",
        doing: "Looking at whom accounts trust elsewhere",
        doc: "trusted hosts, users and Kerberos principals (.rhosts, hosts.equiv, .k5login), and keytabs",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "files that say whom accounts trust elsewhere";
const LOGIN: Area = Area("remote login");
const KEYTAB: Area = Area("keytab");
const REALM: Area = Area("kerberos realm");

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    for name in [&b"hosts.equiv"[..], b"shosts.equiv", b"ssh/shosts.equiv"] {
        let path = join(b"/etc", name);
        file(context, &path, name, b"", Source::file(path.as_slice()), out)?;
    }
    for home in settings::homes(context) {
        for name in [&b".rhosts"[..], b".shosts", b".k5login", b".k5users"] {
            let path = join(&home.path, name);
            file(context, &path, name, home.account.as_bytes(), home.source(&path), out)?;
        }
    }
    for path in settings::glob(context.host.tree(), b"/etc/k5login.d/*") {
        let account = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        file(context, &path, b".k5login", account, Source::file(path.as_slice()), out)?;
    }
    if let Some(bytes) = settings::read(context, b"/etc/krb5.conf", WHAT, out)? {
        for (line, text) in lines::meaningful(&bytes) {
            if let Some((b"default_realm", value)) = lines::cut(text, b'=') {
                let found = Found { line, name: b"default_realm", value, whom: b"" };
                REALM.put(context, b"/etc/krb5.conf", &found, out)?;
            }
        }
    }
    keytabs(context, out)
}

fn file(context: &Context, path: &[u8], name: &[u8], whom: &[u8], from: Source, out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    settings::describe_place(context, path, out)?;
    for (line, value) in lines::meaningful(&bytes).take(1000) {
        LOGIN.put_from(context, path, from.clone(), &Found { line, name, value, whom }, out)?;
    }
    out.flow()
}

fn keytabs(context: &Context, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let mut paths: Vec<Vec<u8>> = Vec::new();
    for pattern in [
        &b"/etc/*.keytab"[..],
        b"/etc/*/*.keytab",
        b"/etc/security/keytabs/*",
        b"/var/kerberos/krb5/user/*/client.keytab",
        b"/var/lib/krb5kdc/*.keytab",
        b"/var/lib/*/*.keytab",
        b"/srv/*.keytab",
        b"/opt/*/*.keytab",
        b"/tmp/*.keytab",
    ] {
        paths.extend(settings::glob(tree, pattern));
    }
    for home in settings::homes(context) {
        for pattern in [&b"*.keytab"[..], b".*.keytab"] {
            paths.extend(settings::glob(tree, &join(&home.path, pattern)));
        }
    }
    for path in paths.iter().take(1000) {
        KEYTAB.put(context, path, &Found { line: 0, name: b"keytab", value: b"", whom: b"" }, out)?;
    }
    out.flow()
}
