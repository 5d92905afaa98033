//! Collector: what could be opened elsewhere from this host. Places and kinds, never a value, nor a part or digest of one.

mod known;
mod names;
mod reach;
mod running;
mod sift;
mod trust;

use crate::walk::Walk;
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, web};
use calma_host::{FileKind, join};
use reach::Reach;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "secrets",
        doing: "Looking for keys and passwords that open other places",
        doc: "private keys, credentials, tokens and trust that stand on this host: places and kinds, never values",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(180),
    },
    collect,
};

/// What a gap of this collector is about.
const WHAT: &str = "files that may hold keys and passwords";
/// Names looked at in all.
const MOST: usize = 400_000;

/// Places that people, services and sites keep their own files in. Homes and web roots are added.
const PLACES: &[&[u8]] = &[
    b"/etc",
    b"/root",
    b"/home",
    b"/opt",
    b"/srv",
    b"/var/www",
    b"/var/lib",
    b"/var/backups",
    b"/var/opt",
    b"/var/local",
    b"/usr/local",
    b"/data",
    b"/app",
    b"/run/secrets",
    b"/run/containers",
    b"/tmp",
    b"/var/tmp",
    b"/dev/shm",
];

/// Folders directly below / and /var that packages and running programs fill.
const OF_THE_SYSTEM: &[&[u8]] = &[
    b"bin",
    b"boot",
    b"dev",
    b"efi",
    b"lib",
    b"lib32",
    b"lib64",
    b"libx32",
    b"lost+found",
    b"proc",
    b"run",
    b"sbin",
    b"snap",
    b"sys",
    b"usr",
    b"var",
    b"cache",
    b"log",
    b"lock",
    b"crash",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let (settings, _) = web::read(context.host.tree());
    let served = web::roots(context, &settings);
    let mut places = places(context, &served);
    // Disks of data and backups stand under names of the administrator's own, directly below / or /var.
    for above in [&b"/"[..], b"/var"] {
        for entry in context.host.tree().list(above).unwrap_or_default() {
            let name = entry.name.as_bytes();
            let path = join(above, name);
            let own = entry.kind == Some(FileKind::Directory) && !OF_THE_SYSTEM.contains(&name);
            if own && !places.iter().any(|place| web::is_below(place, &path)) {
                places.push(path);
            }
        }
    }
    let mut reach = Reach::default();
    if context.host.kernel().is_some() {
        running::environments(context, out)?;
        running::agents(context, &mut reach, out)?;
    }
    running::provider(context, out)?;
    trust::collect(context, &mut reach, out)?;
    let mut walk = Walk::new(context, WHAT, MOST, out);
    let mut sift = sift::Sift::new(context, served, reach);
    for place in places {
        if context.host.tree().meta(&place).is_ok() {
            walk.over(&place, MOST, out, &mut |seen, out| {
                for (entry, meta) in seen.names {
                    if let Some(meta) = meta {
                        sift.file(&join(seen.path, entry.name.as_bytes()), meta, out)?;
                    }
                }
                out.flow()
            })?;
        }
    }
    sift.tallies(out)
}

/// The places, none within an earlier one.
fn places(context: &Context, served: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = PLACES.iter().map(|place| place.to_vec()).collect();
    all.extend(served.iter().cloned());
    all.extend(context.homes().into_iter().filter(|home| is_own_home(home)));
    let mut places: Vec<Vec<u8>> = Vec::new();
    all.sort();
    for place in all {
        if !places.iter().any(|known| web::is_below(&place, known)) {
            places.push(place);
        }
    }
    places
}

/// Homes of service accounts are often folders of the system, which packages fill.
fn is_own_home(home: &[u8]) -> bool {
    let first = home.split(|b| *b == b'/').nth(1).unwrap_or_default();
    let system =
        [&b""[..], b"bin", b"sbin", b"lib", b"usr", b"proc", b"sys", b"dev", b"run", b"boot", b"nonexistent"];
    let parts = home.split(|b| *b == b'/').filter(|part| !part.is_empty()).count();
    !system.contains(&first) && (parts > 1 || first != b"var") && !web::is_below(home, b"/var/cache")
}
