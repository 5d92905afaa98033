//! Collector: what the dynamic loader is told, and variables set for later programs.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, libraries, settings};
use calma_formats::environment::{self, Variable};
use calma_formats::loader;
use calma_host::join;
use calma_record::{Source, Text, kinds};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "loader",
        doing: "Looking at what is loaded into every program",
        doc: "settings of the dynamic loader, and variables set for logins and services",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const LOADER: &str = "settings of the dynamic loader";
const VARIABLES: &str = "variables set for logins and services";

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let path = b"/etc/ld.so.preload";
    if let Some(bytes) = settings::read(context, path, LOADER, out)? {
        settings::describe_place(context, path, out)?;
        for (line, value) in loader::preload(&bytes) {
            let file = libraries::find(context.host.tree(), value.as_bytes());
            put(context, path, line, "preload", value, file, out)?;
        }
    }
    directories(context, b"/etc/ld.so.conf", 0, out)?;
    for path in settings::glob(context.host.tree(), b"/etc/ld-musl-*.path") {
        directories(context, &path, 0, out)?;
    }
    environment_files(context, out)
}

/// Directories of libraries, includes followed.
fn directories(context: &Context, path: &[u8], depth: usize, out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, LOADER, out)? else { return out.flow() };
    settings::describe_place(context, path, out)?;
    for (line, value, include) in loader::directories(&bytes) {
        if !include {
            let file = value.as_bytes().to_vec();
            put(context, path, line, "directory", value, Some(file), out)?;
        } else if depth < 8 {
            let pattern = value.as_bytes();
            let pattern = if pattern.starts_with(b"/") {
                pattern.to_vec()
            } else {
                join(calma_host::parent(path), pattern)
            };
            for included in settings::glob(context.host.tree(), &pattern) {
                directories(context, &included, depth + 1, out)?;
            }
        }
    }
    out.flow()
}

fn put(
    context: &Context,
    path: &[u8],
    line: u32,
    what: &str,
    value: Text,
    file: Option<Vec<u8>>,
    out: &mut Out,
) -> Flow {
    if let Some(file) = &file {
        describe::file(context, file, out)?;
    }
    let (path, file) = (Text::from(path), file.map(Text::from));
    let from = Source::file(path.clone());
    out.fact(from, kinds::LoaderSetting { path, line, what: what.to_owned(), value, file })
}

type Parse = fn(&[u8]) -> Vec<Variable>;

fn environment_files(context: &Context, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let system: [(&[u8], Parse); 11] = [
        (b"/etc/environment", environment::parse),
        (b"/etc/environment.d/*.conf", environment::parse),
        (b"/usr/lib/environment.d/*.conf", environment::parse),
        (b"/etc/default/*", environment::parse),
        (b"/etc/sysconfig/*", environment::parse),
        (b"/etc/security/pam_env.conf", environment::pam_env),
        (b"/etc/systemd/system.conf", environment::manager),
        (b"/etc/systemd/user.conf", environment::manager),
        (b"/etc/systemd/system.conf.d/*.conf", environment::manager),
        (b"/etc/systemd/user.conf.d/*.conf", environment::manager),
        (b"/usr/lib/systemd/system.conf.d/*.conf", environment::manager),
    ];
    for (pattern, parse) in system {
        for path in settings::glob(tree, pattern) {
            if tree.meta(&path).is_ok_and(|meta| meta.kind == calma_host::FileKind::Directory) {
                continue;
            }
            variables(context, &path, parse, &Source::file(path.as_slice()), &Text::default(), out)?;
        }
    }
    for home in settings::homes(context) {
        let own: [(&[u8], Parse); 3] = [
            (b".pam_environment", environment::pam_env),
            (b".ssh/environment", environment::parse),
            (b".config/environment.d/*.conf", environment::parse),
        ];
        for (name, parse) in own {
            for path in settings::glob(tree, &join(&home.path, name)) {
                variables(context, &path, parse, &home.source(&path), &home.account, out)?;
            }
        }
    }
    out.flow()
}

/// Puts out the variables of one file; libraries and absolute paths they name are described.
fn variables(
    context: &Context,
    path: &[u8],
    parse: Parse,
    from: &Source,
    account: &Text,
    out: &mut Out,
) -> Flow {
    let Some(bytes) = settings::read(context, path, VARIABLES, out)? else { return out.flow() };
    for Variable { line, name, value } in parse(&bytes) {
        let loads = name.as_bytes().starts_with(b"LD_");
        let mut file = None;
        for part in
            value.as_bytes().split(|b| matches!(b, b':' | b' ')).filter(|part| !part.is_empty()).take(64)
        {
            if loads && let Some(found) = libraries::find(context.host.tree(), part) {
                describe::file(context, &found, out)?;
                file.get_or_insert(Text::from(found));
            } else if part.starts_with(b"/") {
                describe::file(context, part, out)?;
            }
        }
        let fact = kinds::EnvironmentSetting {
            path: path.into(),
            line,
            name,
            value,
            account: account.clone(),
            file,
        };
        out.fact(from.clone(), fact)?;
    }
    out.flow()
}
