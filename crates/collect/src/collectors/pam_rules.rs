//! Collector: rules and modules of pluggable authentication.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, settings};
use calma_formats::pam;
use calma_host::{Tree, join, resolve};
use calma_record::{Source, Text, kinds};
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "pam-rules",
        doing: "Looking at how passwords are checked",
        doc: "rules and modules of pluggable authentication",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "rules of pluggable authentication";

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let directories = directories(context.host.tree());
    for directory in &directories {
        describe::file(context, directory, out)?;
        for module in settings::files(context, directory, "modules of pluggable authentication", out)? {
            describe::file(context, &module, out)?;
        }
    }
    rules(context, b"/etc/pam.conf", true, &directories, out)?;
    for folder in [&b"/etc/pam.d"[..], b"/usr/lib/pam.d", b"/usr/etc/pam.d", b"/usr/share/pam.d"] {
        for path in settings::files(context, folder, WHAT, out)? {
            rules(context, &path, false, &directories, out)?;
        }
    }
    Flow::Continue(())
}

/// The directories with modules, each once, without links.
fn directories(tree: &dyn Tree) -> Vec<Vec<u8>> {
    let patterns: [&[u8]; 6] = [
        b"/lib/security",
        b"/lib64/security",
        b"/usr/lib/security",
        b"/usr/lib64/security",
        b"/lib/*/security",
        b"/usr/lib/*/security",
    ];
    let mut real = BTreeSet::new();
    for pattern in patterns {
        for path in settings::glob(tree, pattern) {
            real.extend(resolve(tree, &path).ok());
        }
    }
    real.into_iter().collect()
}

fn rules(context: &Context, path: &[u8], services: bool, directories: &[Vec<u8>], out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    settings::describe_place(context, path, out)?;
    let own = Text::from(Text::from(path).file_name());
    for rule in pam::parse(&bytes, services) {
        let include = matches!(rule.control.as_bytes(), b"include" | b"substack");
        let file =
            if include { None } else { module(context.host.tree(), rule.module.as_bytes(), directories) };
        if let Some(file) = &file {
            describe::file(context, file, out)?;
        }
        for argument in &rule.arguments {
            describe::command(context, argument.as_bytes(), out)?;
        }
        let fact = kinds::PamRule {
            path: path.into(),
            line: rule.line,
            service: if services { rule.service } else { own.clone() },
            stack: rule.stack,
            control: rule.control,
            module: rule.module,
            file: file.map(Text::from),
            arguments: rule.arguments,
        };
        out.fact(Source::file(path), fact)?;
    }
    out.flow()
}

/// The file of a module: as named, or in the first directory that has it.
fn module(tree: &dyn Tree, name: &[u8], directories: &[Vec<u8>]) -> Option<Vec<u8>> {
    // Old systems write /lib/security/$ISA/pam_unix.so.
    let name = match name.windows(6).position(|w| w == b"/$ISA/") {
        Some(at) => name.get(at + 6..).unwrap_or_default(),
        None => name,
    };
    if name.starts_with(b"/") {
        return Some(name.to_vec());
    }
    directories.iter().map(|directory| join(directory, name)).find(|path| tree.meta(path).is_ok())
}
