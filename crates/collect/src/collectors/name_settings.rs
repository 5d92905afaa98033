//! Collector: where names lead, and through whom programs connect.

use crate::area::{Area, Found};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::{interpreter_start, lines};
use calma_host::join;
use calma_record::Gap;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "name-settings",
        doing: "Looking at where names lead",
        doc: "names and resolvers set by hand, the order in which they are asked, and proxies",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "settings of names and proxies";
const NAME: Area = Area("host name");
const RESOLVER: Area = Area("resolver");
const ORDER: Area = Area("name order");
const PROXY: Area = Area("proxy");
/// No more names than this are taken from /etc/hosts.
const MOST: usize = 5000;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let path = b"/etc/hosts";
    if let Some(bytes) = settings::read(context, path, WHAT, out)? {
        settings::describe_place(context, path, out)?;
        let mut left = MOST;
        for (line, text) in lines::meaningful(&bytes) {
            let text = text.split(|b| *b == b'#').next().unwrap_or_default();
            let mut words = lines::words(text);
            let Some(value) = words.next() else { continue };
            for name in words {
                if left == 0 {
                    out.gap(Gap::new("the rest of /etc/hosts", "it has too many names").at(path))?;
                    return rest(context, out);
                }
                left -= 1;
                NAME.put(context, path, &Found { line, name, value, whom: b"" }, out)?;
            }
        }
    }
    rest(context, out)
}

fn rest(context: &Context, out: &mut Out) -> Flow {
    for path in [&b"/etc/resolv.conf"[..], b"/etc/systemd/resolved.conf"] {
        pairs(
            context,
            path,
            RESOLVER,
            &["nameserver", "search", "domain", "options", "dns", "fallbackdns", "domains"],
            out,
        )?;
    }
    for path in settings::glob(context.host.tree(), b"/etc/systemd/resolved.conf.d/*.conf") {
        pairs(context, &path, RESOLVER, &["dns", "fallbackdns", "domains"], out)?;
    }
    pairs(context, b"/etc/nsswitch.conf", ORDER, &["hosts", "passwd", "group", "shadow"], out)?;
    for path in [&b"/etc/wgetrc"[..], b"/etc/curlrc", b"/etc/yum.conf", b"/etc/dnf/dnf.conf"] {
        proxies(context, path, out)?;
    }
    for home in settings::homes(context) {
        for name in [&b".wgetrc"[..], b".curlrc", b".config/curlrc"] {
            proxies(context, &join(&home.path, name), out)?;
        }
    }
    out.flow()
}

fn pairs(context: &Context, path: &[u8], area: Area, names: &[&str], out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for (line, name, value) in interpreter_start::rc_values(&bytes) {
        if names.contains(&name.as_str()) && !value.is_empty() {
            area.put(
                context,
                path,
                &Found { line, name: name.as_bytes(), value: value.as_bytes(), whom: b"" },
                out,
            )?;
        }
    }
    out.flow()
}

/// Proxies, and checks of certificates that are left out.
fn proxies(context: &Context, path: &[u8], out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    // curlrc writes switches alone on a line.
    for (line, text) in lines::meaningful(&bytes) {
        let text = text.strip_prefix(b"--").unwrap_or(text).strip_prefix(b"-").unwrap_or(text);
        if matches!(text.trim_ascii(), b"insecure" | b"k") {
            PROXY.put(context, path, &Found { line, name: b"insecure", value: b"yes", whom: b"" }, out)?;
        }
    }
    for (line, name, value) in interpreter_start::rc_values(&bytes) {
        let name = name.trim_start_matches('-');
        let told = matches!(
            name,
            "http_proxy"
                | "https_proxy"
                | "ftp_proxy"
                | "proxy"
                | "socks5"
                | "socks5-hostname"
                | "preproxy"
                | "check_certificate"
                | "sslverify"
                | "check-certificate"
                | "x"
        );
        if told && !value.is_empty() {
            PROXY.put(
                context,
                path,
                &Found { line, name: name.as_bytes(), value: value.as_bytes(), whom: b"" },
                out,
            )?;
        }
    }
    out.flow()
}
