//! Collector: certificates that programs of this system trust.

use crate::area::{Area, Found};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::certificate;
use calma_host::{FileKind, join};
use calma_record::Digest;
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "certificates",
        doing: "Looking at which certificates are trusted",
        doc: "authorities whose certificates programs of this system trust",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "trusted certificates";
/// A certificate that a package or an administrator offers; one that is trusted as it stands; one of the bundle alone.
const OFFERED: Area = Area("certificate");
const INSTALLED: Area = Area("installed certificate");
const BUNDLED: Area = Area("bundled certificate");

/// Where authorities are put: update-ca-certificates(8), update-ca-trust(8).
const PLACES: &[&[u8]] = &[
    b"/usr/share/ca-certificates/*",
    b"/usr/share/ca-certificates/*/*",
    b"/usr/local/share/ca-certificates/*",
    b"/usr/local/share/ca-certificates/.*",
    b"/usr/local/share/ca-certificates/*/*",
    b"/etc/pki/ca-trust/source/anchors/*",
    b"/etc/pki/ca-trust/source/*",
    b"/usr/share/pki/ca-trust-source/anchors/*",
    b"/etc/ca-certificates/trust-source/anchors/*",
    b"/usr/share/pki/trust/anchors/*",
    b"/etc/pki/trust/anchors/*",
];
/// What programs read.
const BUNDLES: &[&[u8]] = &[b"/etc/ssl/certs/ca-certificates.crt", b"/etc/ssl/ca-bundle.pem"];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let mut known = BTreeSet::new();
    for pattern in PLACES {
        for path in settings::glob(tree, pattern) {
            if tree.meta(&path).is_ok_and(|meta| meta.kind == FileKind::Directory) {
                continue;
            }
            put(context, OFFERED, &path, &mut known, out)?;
        }
    }
    for path in settings::files(context, b"/etc/ssl/certs", WHAT, out)? {
        let link = tree.meta(&path).is_ok_and(|meta| meta.kind == FileKind::Link);
        if !link && !BUNDLES.contains(&path.as_slice()) {
            put(context, INSTALLED, &path, &mut known, out)?;
        } else if link {
            // What a link of OpenSSL leads to is offered, unless it leads to where certificates are not kept.
            let real = calma_host::resolve(tree, &path).unwrap_or_default();
            let kept = PLACES.iter().any(|place| {
                let above = place.split(|b| *b == b'*').next().unwrap_or_default();
                real.starts_with(above)
            });
            if !kept && !real.starts_with(b"/etc/ssl/certs/") && !real.is_empty() {
                put(context, INSTALLED, &path, &mut known, out)?;
            }
        }
    }
    if known.is_empty() {
        // A bundle alone, as some small systems have it: nothing to compare it with.
        return out.flow();
    }
    for path in BUNDLES {
        let Some(bytes) = settings::read(context, path, WHAT, out)? else { continue };
        settings::describe_place(context, path, out)?;
        for der in certificate::all(&bytes) {
            if !known.contains(&Digest::of(&der)) {
                one(context, BUNDLED, path, &der, out)?;
            }
        }
    }
    out.flow()
}

fn put(context: &Context, area: Area, path: &[u8], known: &mut BTreeSet<Digest>, out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for der in certificate::all(&bytes).iter().take(64) {
        if known.insert(Digest::of(der)) || area.0 != OFFERED.0 {
            settings::describe_place(context, path, out)?;
            one(context, area, path, der, out)?;
        }
    }
    out.flow()
}

fn one(context: &Context, area: Area, path: &[u8], der: &[u8], out: &mut Out) -> Flow {
    let Some(found) = certificate::parse(der) else { return out.flow() };
    let name = join(found.organisation.as_bytes(), found.name.as_bytes());
    let digest = Digest::of(der).to_string();
    let whom = if found.own { &b"root"[..] } else { b"" };
    area.put(context, path, &Found { line: 0, name: &name, value: digest.as_bytes(), whom }, out)
}
