//! Collector: commands that apt and dpkg run when packages change.

use crate::startup::Mechanism;
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::apt_conf::{self, Setting};
use calma_host::{FileKind, resolve};
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "package-hooks",
        doing: "Looking at what installing packages starts",
        doc: "commands that apt and dpkg run when packages change",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "settings of apt and dpkg";
const APT: Mechanism = Mechanism { name: "apt hook", when: "whenever apt is used" };
const DPKG: Mechanism = Mechanism { name: "dpkg hook", when: "whenever packages are installed or removed" };
/// More files than this are not followed from one to the next.
const MOST: usize = 1000;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let mut waiting = settings::files(context, b"/etc/apt/apt.conf.d", WHAT, out)?;
    // apt reads names with no ending or `.conf`, and none that begins with a dot.
    waiting.retain(|path| {
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        name.strip_suffix(b".conf").map_or(!name.contains(&b'.'), |stem| !stem.starts_with(b"."))
    });
    waiting.insert(0, b"/etc/apt/apt.conf".to_vec());
    let mut seen = BTreeSet::new();
    while let Some(path) = waiting.pop() {
        if seen.len() >= MOST || !seen.insert(path.clone()) {
            continue;
        }
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        let settings = apt_conf::parse(&bytes);
        hooks(APT, context, &path, &settings, out)?;
        for include in settings.iter().filter(|setting| setting.name == "#include") {
            waiting.extend(included(context, include.value.as_bytes(), out)?);
        }
    }
    let mut files = settings::files(context, b"/etc/dpkg/dpkg.cfg.d", WHAT, out)?;
    // dpkg reads names of letters, digits, underscores and dashes.
    files.retain(|path| {
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    });
    files.extend([b"/etc/dpkg/dpkg.cfg".to_vec(), b"/root/.dpkg.cfg".to_vec()]);
    for path in files {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        hooks(DPKG, context, &path, &apt_conf::dpkg(&bytes), out)?;
    }
    out.flow()
}

fn hooks(how: Mechanism, context: &Context, path: &[u8], settings: &[Setting], out: &mut Out) -> Flow {
    for setting in settings {
        if let Some(command) = setting.command() {
            how.command(context, path, setting.line, command, out)?;
        }
    }
    out.flow()
}

/// The files that an `#include` names: a file, or those of a directory.
fn included(context: &Context, path: &[u8], out: &mut Out) -> std::ops::ControlFlow<(), Vec<Vec<u8>>> {
    let tree = context.host.tree();
    let meta = resolve(tree, path).and_then(|real| tree.meta(&real));
    match meta.map(|meta| meta.kind) {
        Ok(FileKind::Directory) => settings::files(context, path, WHAT, out),
        Ok(_) if path.starts_with(b"/") => std::ops::ControlFlow::Continue(vec![path.to_vec()]),
        _ => std::ops::ControlFlow::Continue(Vec::new()),
    }
}
