//! Collector: settings of tunnels to somebody elsewhere, wherever a unit or a process names them.

use crate::area::{Area, Found};
use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, describe, pids, settings};
use calma_formats::{process_strings, tunnel, unit};
use calma_host::{FileKind, join};
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "tunnels",
        doing: "Looking for tunnels to elsewhere",
        doc: "settings of tunnels, known by what they say, at their usual places and where units and processes name them",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(30),
    },
    collect,
};

const TUNNEL: Area = Area("tunnel");
/// Longer files are no settings of a tunnel.
const LARGEST: usize = 256 << 10;

const PLACES: &[&[u8]] = &[
    b"/etc/frp/*",
    b"/etc/cloudflared/*.y*ml",
    b"/usr/local/etc/cloudflared/*.y*ml",
    b"/etc/rathole/*",
    b"/etc/stunnel/*.conf",
    b"/etc/tor/torrc",
    b"/etc/tor/torrc.d/*",
    b"/etc/tor/instances/*/torrc",
    b"/etc/ngrok*",
    b"/opt/*/*.toml",
    b"/opt/*/*.ini",
    b"/opt/*/*.yml",
];
const HOME: &[&[u8]] = &[
    b".cloudflared/*.y*ml",
    b".ngrok2/ngrok.yml",
    b".config/ngrok/ngrok.yml",
    b".torrc",
    b"frp*/*.toml",
    b"frp*/*.ini",
];
const UNITS: &[&[u8]] = &[
    b"/etc/systemd/system/*.service",
    b"/run/systemd/system/*.service",
    b"/usr/local/lib/systemd/system/*.service",
    b"/usr/lib/systemd/system/*.service",
    b"/etc/systemd/user/*.service",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let mut seen = BTreeSet::new();
    for pattern in PLACES {
        for path in settings::glob(tree, pattern) {
            file(context, &path, b"", &mut seen, out)?;
        }
    }
    let mut units: Vec<Vec<u8>> = UNITS.iter().flat_map(|pattern| settings::glob(tree, pattern)).collect();
    for home in settings::homes(context) {
        for pattern in HOME {
            for path in settings::glob(tree, &join(&home.path, pattern)) {
                file(context, &path, b"", &mut seen, out)?;
            }
        }
        units.extend(settings::glob(tree, &join(&home.path, b".config/systemd/user/*.service")));
    }
    for path in units {
        let real = calma_host::resolve(tree, &path).unwrap_or_default();
        if matches!(context.packages().owner(&real), Owner::Package(_)) {
            continue;
        }
        let text = tree.read(&path, LARGEST).map(|content| content.bytes).unwrap_or_default();
        let all = unit::parse(&text);
        let directory =
            all.iter().find(|s| s.name == "WorkingDirectory").map(|s| s.value.as_bytes().to_vec());
        for setting in all.iter().filter(|setting| setting.name.as_bytes().starts_with(b"Exec")) {
            let words = unit::words(setting.value.as_bytes());
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            named(context, &words, directory.as_deref().unwrap_or(b"/"), &mut seen, out)?;
        }
    }
    if context.host.kernel().is_some() {
        for pid in pids::listed(context).into_iter().take(20_000) {
            let line = tree.read(format!("/proc/{pid}/cmdline").as_bytes(), 64 << 10);
            let arguments =
                process_strings::arguments(&line.map(|content| content.bytes).unwrap_or_default());
            if arguments.len() < 2 {
                continue;
            }
            let directory =
                tree.link(format!("/proc/{pid}/cwd").as_bytes()).unwrap_or_else(|_| b"/".to_vec());
            let words: Vec<&[u8]> = arguments.iter().map(|word| word.as_bytes()).collect();
            named(context, &words, &directory, &mut seen, out)?;
        }
    }
    out.flow()
}

/// The files that a command line names behind its program.
fn named(
    context: &Context,
    words: &[&[u8]],
    directory: &[u8],
    seen: &mut BTreeSet<Vec<u8>>,
    out: &mut Out,
) -> Flow {
    let program = words.first().copied().unwrap_or_default();
    for word in words.iter().skip(1).take(64) {
        let word = word.rsplit(|b| *b == b'=').next().unwrap_or_default();
        let path = match word {
            [] | [b'-', ..] => continue,
            [b'/', ..] => word.to_vec(),
            _ if word.contains(&b'.') && !word.contains(&b':') => {
                join(directory, word.strip_prefix(b"./").unwrap_or(word))
            }
            _ => continue,
        };
        file(context, &path, program, seen, out)?;
    }
    out.flow()
}

fn file(context: &Context, path: &[u8], program: &[u8], seen: &mut BTreeSet<Vec<u8>>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let Ok(meta) = tree.meta_followed(path) else { return out.flow() };
    let fits = meta.kind == FileKind::File && meta.size <= LARGEST as u64;
    if !fits || path.starts_with(b"/proc/") || path.starts_with(b"/sys/") || !seen.insert(path.to_vec()) {
        return out.flow();
    }
    // A binary is no settings; what can not be read here was a gap of others.
    let bytes = tree.read(path, LARGEST).map(|content| content.bytes).unwrap_or_default();
    let Some(found) = tunnel::parse(&bytes).filter(|_| !bytes.contains(&0)) else { return out.flow() };
    describe::file(context, program, out)?;
    let local = found.local.iter().map(|local| local.as_bytes()).collect::<Vec<_>>().join(&b' ');
    let value = [found.far.as_bytes(), b" -> ", &local].concat();
    TUNNEL.put(
        context,
        path,
        &Found { line: 0, name: found.kind.as_bytes(), value: &value, whom: program },
        out,
    )
}
