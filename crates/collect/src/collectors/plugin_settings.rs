//! Collector: modules that the C library's character conversion and OpenSSL load into programs.

use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, settings, startup};
use calma_formats::plugins;
use calma_host::{FileKind, join, parent, resolve};
use calma_record::{Source, Text, kinds};
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "plugin-settings",
        doing: "Looking at modules that libraries load",
        doc: "modules of character conversion (gconv), engines and providers of OpenSSL",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "settings of modules that libraries load";
/// More files than this are not followed from one to the next.
const MOST: usize = 200;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tables: &[&[u8]] = &[
        b"/usr/lib/gconv/gconv-modules",
        b"/usr/lib/gconv/gconv-modules.d/*.conf",
        b"/usr/lib/*/gconv/gconv-modules",
        b"/usr/lib/*/gconv/gconv-modules.d/*.conf",
        b"/usr/lib64/gconv/gconv-modules",
        b"/usr/lib64/gconv/gconv-modules.d/*.conf",
        b"/usr/local/lib/gconv/gconv-modules",
    ];
    for path in startup::files(context, tables) {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        settings::describe_place(context, &path, out)?;
        let mut seen = BTreeSet::new();
        for (line, value) in plugins::conversions(&bytes) {
            if seen.insert(value.clone()) {
                gconv(context, &path, line, value, out)?;
            }
        }
    }
    openssl(context, out)?;
    let directories: &[&[u8]] = &[
        b"/usr/lib/gconv",
        b"/usr/lib/*/gconv",
        b"/usr/lib64/gconv",
        b"/usr/lib/*/ossl-modules",
        b"/usr/lib64/ossl-modules",
        b"/usr/lib/*/engines-*",
        b"/usr/lib64/engines-*",
        b"/usr/local/lib*/ossl-modules",
        b"/usr/local/lib*/engines-*",
        b"/usr/local/ssl/lib*/*",
    ];
    for directory in startup::directories(context, directories) {
        let what = if directory.ends_with(b"/gconv") { "gconv" } else { "openssl" };
        for path in settings::files(context, &directory, WHAT, out)? {
            let real = resolve(context.host.tree(), &path).unwrap_or_else(|_| path.clone());
            // The cache of the tables is made on the machine (iconvconfig(8)).
            if path.ends_with(b"/gconv-modules.cache") || context.packages().owner(&real) != Owner::Nobody {
                continue;
            }
            put(context, what, &path, 0, path.as_slice().into(), Some(path.clone()), out)?;
        }
    }
    out.flow()
}

/// A module's file: beside the table unless it is a path, with `.so` where that was left out. Packaged ones are passed over,
/// as there are hundreds.
fn gconv(context: &Context, path: &[u8], line: u32, value: Text, out: &mut Out) -> Flow {
    let above = parent(path);
    let above = if above.ends_with(b"/gconv-modules.d") { parent(above) } else { above };
    let name = value.as_bytes();
    let mut file = if name.starts_with(b"/") { name.to_vec() } else { join(above, name) };
    if !file.ends_with(b".so") {
        file.extend_from_slice(b".so");
    }
    let real = resolve(context.host.tree(), &file).unwrap_or_else(|_| file.clone());
    if matches!(context.packages().owner(&real), Owner::Package(_)) {
        return out.flow();
    }
    put(context, "gconv", path, line, value, Some(file), out)
}

fn openssl(context: &Context, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let roots: &[&[u8]] = &[
        b"/etc/ssl/openssl.cnf",
        b"/etc/pki/tls/openssl.cnf",
        b"/usr/lib/ssl/openssl.cnf",
        b"/usr/local/ssl/openssl.cnf",
        b"/usr/local/etc/ssl/openssl.cnf",
    ];
    let (mut waiting, mut seen) = (startup::files(context, roots), BTreeSet::new());
    while let Some(path) = waiting.pop() {
        if seen.len() >= MOST || !seen.insert(path.clone()) {
            continue;
        }
        let kind = resolve(tree, &path).and_then(|real| tree.meta(&real)).map(|meta| meta.kind);
        if matches!(kind, Ok(FileKind::Directory)) {
            let files = settings::files(context, &path, WHAT, out)?;
            waiting
                .extend(files.into_iter().filter(|file| file.ends_with(b".cnf") || file.ends_with(b".conf")));
            continue;
        }
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        settings::describe_place(context, &path, out)?;
        for (line, value, include) in plugins::openssl(&bytes) {
            let name = value.as_bytes();
            if include {
                waiting.push(if name.starts_with(b"/") { name.to_vec() } else { join(parent(&path), name) });
                continue;
            }
            let file = module(context, name);
            put(context, "openssl", &path, line, value, file, out)?;
        }
    }
    out.flow()
}

/// A module that is named without a directory stands in OpenSSL's own.
fn module(context: &Context, name: &[u8]) -> Option<Vec<u8>> {
    if name.starts_with(b"/") {
        return Some(name.to_vec());
    }
    let below = if name.ends_with(b".so") { name.to_vec() } else { [name, b".so"].concat() };
    let above: [&[u8]; 4] = [
        b"/usr/lib/*/ossl-modules",
        b"/usr/lib/*/engines-*",
        b"/usr/lib64/ossl-modules",
        b"/usr/lib64/engines-*",
    ];
    above
        .iter()
        .find_map(|above| settings::glob(context.host.tree(), &join(above, &below)).into_iter().next())
}

fn put(
    context: &Context,
    what: &str,
    path: &[u8],
    line: u32,
    value: Text,
    file: Option<Vec<u8>>,
    out: &mut Out,
) -> Flow {
    if let Some(file) = &file {
        settings::describe_place(context, file, out)?;
    }
    let fact = kinds::PluginSetting {
        what: what.to_owned(),
        path: path.into(),
        line,
        value,
        file: file.map(Text::from),
    };
    out.fact(Source::file(path), fact)
}
