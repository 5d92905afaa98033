//! Collector: which kernel modules are loaded at boot, what runs when one is, and module files no package owns.

use crate::startup::{self, Mechanism};
use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, describe, settings, walk};
use calma_formats::modprobe::{self, Ask, Rule};
use calma_host::{FileKind, Follow, Meta, join, resolve};
use calma_record::{Digest, Gap, Source, Text, kinds};
use std::collections::{BTreeMap, BTreeSet};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "module-settings",
        doing: "Looking at which kernel modules are loaded at boot",
        doc: "settings of kernel modules, commands that run when one is loaded, module files no package owns",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(30),
    },
    collect,
};

const WHAT: &str = "settings of kernel modules";
const COMMAND: Mechanism =
    Mechanism { name: "modprobe rule", when: "when a kernel module is loaded or removed" };
/// No more foreign module files than this are recorded.
const FOREIGN: usize = 2000;
/// No kernel that somebody builds for himself has as few modules as this and no list of them.
const FEW: usize = 8;

const RULES: &[&[u8]] = &[
    b"/etc/modprobe.d/*.conf",
    b"/run/modprobe.d/*.conf",
    b"/usr/local/lib/modprobe.d/*.conf",
    b"/usr/lib/modprobe.d/*.conf",
    b"/lib/modprobe.d/*.conf",
    b"/etc/modprobe.conf",
    b"/lib/modules/*/modprobe.conf",
];
const LOADS: &[&[u8]] = &[
    b"/etc/modules",
    b"/etc/modules-load.d/*.conf",
    b"/run/modules-load.d/*.conf",
    b"/usr/local/lib/modules-load.d/*.conf",
    b"/usr/lib/modules-load.d/*.conf",
    b"/lib/modules-load.d/*.conf",
    b"/etc/initramfs-tools/modules",
    b"/usr/share/initramfs-tools/modules",
    b"/usr/share/initramfs-tools/modules.d/*",
];

/// Module files by the module's name.
type Files = BTreeMap<Vec<u8>, Vec<Vec<u8>>>;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let files = module_files(context, out)?;
    for path in startup::files(context, RULES) {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        settings::describe_place(context, &path, out)?;
        for rule in modprobe::rules(&bytes) {
            put(context, &path, rule, &files, out)?;
        }
    }
    for path in startup::files(context, LOADS) {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        settings::describe_place(context, &path, out)?;
        for rule in modprobe::loads(&bytes) {
            put(context, &path, rule, &files, out)?;
        }
    }
    out.flow()
}

fn put(context: &Context, path: &[u8], rule: Rule, files: &Files, out: &mut Out) -> Flow {
    let (what, options) = match rule.ask {
        Ask::Install(command) | Ask::Remove(command) => {
            return COMMAND.command(context, path, rule.line, command.as_bytes(), out);
        }
        Ask::Load => ("load", Text::default()),
        Ask::Blacklist => ("blacklist", Text::default()),
        Ask::Options(options) => ("options", options),
    };
    let mut found = Vec::new();
    if what == "load" {
        // A path is taken as it is (modprobe(8)).
        let name = rule.module.as_bytes();
        found = if name.starts_with(b"/") {
            vec![name.to_vec()]
        } else {
            files.get(&plain(name)).cloned().unwrap_or_default()
        };
        for file in &found {
            describe::file(context, file, out)?;
        }
    }
    let real = resolve(context.host.tree(), path).unwrap_or_else(|_| path.to_vec());
    let (package, packages_known) = match context.packages().owner(&real) {
        Owner::Package(package) => (Some(package), true),
        Owner::Nobody => (None, true),
        Owner::Unknown => (None, false),
    };
    let fact = kinds::ModuleSetting {
        path: path.into(),
        line: rule.line,
        what: what.to_owned(),
        module: rule.module,
        options,
        files: found.iter().map(|file| file.as_slice().into()).collect(),
        package,
        packages_known,
    };
    out.fact(Source::file(path), fact)
}

/// A module's name as the kernel writes it: with underscores, without the endings of its file.
fn plain(name: &[u8]) -> Vec<u8> {
    let stem = name.split(|b| *b == b'.').next().unwrap_or_default();
    stem.iter().map(|b| if *b == b'-' { b'_' } else { *b }).collect()
}

/// Every module file; facts for those no package owns.
fn module_files(context: &Context, out: &mut Out) -> std::ops::ControlFlow<(), Files> {
    let tree = context.host.tree();
    let mut files = Files::new();
    let mut walk = walk::Walk::new(context, "kernel modules on disk", 400_000, out);
    let mut seen = BTreeSet::new();
    let mut recorded = 0;
    for release in startup::directories(context, &[b"/lib/modules/*", b"/usr/lib/modules/*"]) {
        let real = resolve(tree, &release).unwrap_or_else(|_| release.clone());
        let (mut owned, mut foreign) = (0_usize, Vec::new());
        walk.over(&real, 200_000, out, &mut |folder, _| {
            for (entry, meta) in folder.names {
                let name = entry.name.as_bytes();
                let ends: [&[u8]; 4] = [b".ko", b".ko.xz", b".ko.gz", b".ko.zst"];
                if !ends.iter().any(|end| name.ends_with(end)) {
                    continue;
                }
                let path = join(folder.path, name);
                if seen.insert(path.clone()) {
                    files.entry(plain(name)).or_default().push(path.clone());
                }
                // A link to a module of another release is that module (weak-modules(8)).
                let real = resolve(tree, &path).unwrap_or_else(|_| path.clone());
                match context.packages().owner(&real) {
                    Owner::Package(_) => owned += 1,
                    Owner::Nobody if entry.kind != Some(FileKind::Link) => foreign.push((path, meta.clone())),
                    _ => {}
                }
            }
            Flow::Continue(())
        })?;
        let name = release.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let lists: [&[u8]; 3] = [b"modules.builtin", b"modules.order", b"modules.builtin.modinfo"];
        let whole = foreign.len() > FEW || lists.iter().any(|list| tree.meta(&join(&real, list)).is_ok());
        for (path, meta) in foreign {
            recorded += 1;
            if recorded > FOREIGN {
                out.gap(Gap::new("kernel modules no package owns", "there are more than 2,000"))?;
                break;
            }
            // A kernel somebody built has thousands: they are counted, and read only where they stand out.
            one(context, &path, name, (owned > 0, whole), meta, out)?;
        }
    }
    std::ops::ControlFlow::Continue(files)
}

fn one(
    context: &Context,
    path: &[u8],
    release: &[u8],
    (others, whole): (bool, bool),
    meta: Option<Meta>,
    out: &mut Out,
) -> Flow {
    let tree = context.host.tree();
    let file = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let name = plain(file);
    let built = built(context, release, &name);
    let mut fact = kinds::ModuleFile {
        path: path.into(),
        release: release.into(),
        name: name.into(),
        others_packaged: others,
        built,
        whole_kernel: whole,
        ..kinds::ModuleFile::default()
    };
    if built {
        fact.explained = "dkms has built it here from sources of this machine".to_owned();
    }
    if let Some(meta) = meta {
        (fact.modified, fact.uid, fact.mode) = (meta.modified, meta.uid, meta.mode);
    }
    if (others || !whole)
        && let Ok(content) = tree.open(path, Follow::No).and_then(|_| tree.read(path, 64 << 20))
    {
        // kernel/module/signing.c: the text stands behind the signature.
        fact.signed =
            file.ends_with(b".ko").then(|| content.bytes.ends_with(b"~Module signature appended~\n"));
        fact.digest = (!content.cut).then(|| Digest::of(&content.bytes));
        describe::file(context, path, out)?;
    }
    out.fact(Source::file(path), fact)
}

/// Whether dkms keeps a module of this name that it built for this release.
fn built(context: &Context, release: &[u8], name: &[u8]) -> bool {
    let pattern = [b"/var/lib/dkms/*/*/", release, b"/*/module/*"].concat();
    settings::glob(context.host.tree(), &pattern)
        .iter()
        .any(|path| plain(path.rsplit(|b| *b == b'/').next().unwrap_or_default()) == name)
}
