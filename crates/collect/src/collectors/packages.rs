//! Collector: the host's own package lists.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility};
use calma_record::{Source, kinds};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "packages",
        doing: "Reading the package list",
        doc: "which package managers the host has, and whether their lists can be read",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let packages = context.packages();
    for manager in packages.managers() {
        let fact = kinds::PackageList {
            manager: manager.name.into(),
            packages: manager.packages,
            paths: manager.paths,
            read: manager.read,
        };
        let place = match manager.name {
            "dpkg" => "/var/lib/dpkg/info",
            "apk" => "/lib/apk/db/installed",
            "pacman" => "/var/lib/pacman/local",
            _ => "/var/lib/rpm",
        };
        out.fact(Source::file(place), fact)?;
    }
    for gap in packages.gaps() {
        out.gap(gap.clone())?;
    }
    out.flow()
}
