//! Collector: dynamic loaders, and programs that ask for libraries from unusual places.

use crate::{
    Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, describe, libraries, pids, settings,
    startup,
};
use calma_formats::elf;
use calma_host::{FileKind, join, parent, resolve};
use calma_record::{Gap, Source, Text, kinds};
use std::collections::{BTreeMap, BTreeSet};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "linked-programs",
        doing: "Looking at what programs ask the loader for",
        doc: "dynamic loaders, what set-id, running, login and foreign programs take from unusual places, libraries of logins",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "what programs ask the dynamic loader for";
/// No more bytes of one file are read: headers and strings of ordinary programs end before.
const LARGEST: usize = 24 << 20;
/// No more programs than this, and no more bytes of all of them.
const PROGRAMS: usize = 400;
const BYTES: usize = 256 << 20;
/// No more libraries than this are followed from the programs of a login.
const LIBRARIES: usize = 400;

/// Where loaders are.
const LOADERS: &[&[u8]] = &[
    b"/lib/ld-*.so*",
    b"/lib/*/ld-*.so*",
    b"/lib64/ld-*.so*",
    b"/lib32/ld-*.so*",
    b"/libx32/ld-*.so*",
    b"/usr/lib/ld-*.so*",
    b"/usr/lib/*/ld-*.so*",
    b"/usr/lib64/ld-*.so*",
];

/// Programs that every login goes through.
const LOGIN: &[&[u8]] = &[
    b"/usr/sbin/sshd",
    b"/usr/lib/openssh/sshd-*",
    b"/usr/libexec/openssh/sshd-*",
    b"/usr/bin/login",
    b"/usr/bin/su",
    b"/usr/bin/sudo",
    b"/usr/sbin/cron*",
    b"/usr/lib/systemd/systemd",
    b"/usr/bin/bash",
    b"/usr/bin/dash",
    b"/usr/bin/passwd",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    for path in startup::files(context, LOADERS) {
        loader(context, &path, out)?;
    }
    let mut left = BYTES;
    for (count, (path, because)) in programs(context).into_iter().enumerate() {
        if count >= PROGRAMS || left == 0 {
            return out.gap(Gap::new(WHAT, "there are more programs than were looked at"));
        }
        program(context, &path, because, &mut left, out)?;
    }
    login_libraries(context, out)
}

/// The libraries that programs of a login need, and those that these need: facts for each that no package owns.
fn login_libraries(context: &Context, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let mut left = BYTES;
    let mut waiting: Vec<Vec<u8>> =
        startup::files(context, LOGIN).into_iter().map(|path| resolve(tree, &path).unwrap_or(path)).collect();
    let mut seen: BTreeSet<Vec<u8>> = waiting.iter().cloned().collect();
    let mut count = 0;
    while let Some(path) = waiting.pop() {
        count += 1;
        if count > LIBRARIES || left == 0 {
            return out.gap(Gap::new(WHAT, "there are more libraries than were looked at"));
        }
        let Some(content) = read(context, &path, out)? else { continue };
        left = left.saturating_sub(content.len());
        let Some(found) = elf::parse(&content) else { continue };
        let places: Vec<Vec<u8>> =
            found.rpath.iter().chain(&found.runpath).map(|place| origin(place.as_bytes(), &path)).collect();
        for name in found.needed {
            let beside = places.iter().map(|place| join(place, name.as_bytes()));
            let beside = beside.into_iter().find(|path| path.starts_with(b"/") && tree.meta(path).is_ok());
            let named = beside.into_iter().chain(libraries::all(tree, name.as_bytes()));
            for named in named {
                let real = resolve(tree, &named).unwrap_or_else(|_| named.clone());
                if seen.insert(real.clone()) {
                    library(context, &path, &named, &real, out)?;
                    waiting.push(real);
                }
            }
        }
    }
    out.flow()
}

/// A library that `needs` asks for, if no package owns it.
fn library(context: &Context, needs: &[u8], named: &[u8], real: &[u8], out: &mut Out) -> Flow {
    let mut row = row(context, real, "library");
    if !row.packages_known || row.package.is_some() {
        return out.flow();
    }
    describe::file(context, named, out)?;
    describe::file(context, real, out)?;
    row.because = "login".to_owned();
    row.names = vec![needs.into(), named.into()];
    out.fact(Source::file(real), row)
}

/// The programs that matter most by their real path, and why.
fn programs(context: &Context) -> BTreeMap<Vec<u8>, &'static str> {
    let tree = context.host.tree();
    let mut found = BTreeMap::new();
    let mut foreign = 0;
    let directories: &[&[u8]] = &[
        b"/usr/bin",
        b"/usr/sbin",
        b"/bin",
        b"/sbin",
        b"/usr/local/bin",
        b"/usr/local/sbin",
        b"/usr/lib/openssh",
        b"/usr/lib/dbus-1.0",
        b"/usr/lib/policykit-1",
        b"/usr/libexec",
        b"/usr/lib/polkit-1",
        b"/usr/lib",
        b"/usr/lib/*",
        b"/usr/libexec/*",
        b"/root/bin",
    ];
    for directory in startup::directories(context, directories) {
        for (entry, meta) in
            tree.survey(&resolve(tree, &directory).unwrap_or_default(), 20_000).unwrap_or_default()
        {
            let path = join(&directory, entry.name.as_bytes());
            let Some(meta) = meta else { continue };
            if meta.mode & 0o6000 != 0 {
                found.insert(resolve(tree, &path).unwrap_or(path), "set-id");
            } else if meta.kind == FileKind::File
                && meta.mode & 0o111 != 0
                && context.packages().owner(&path) == Owner::Nobody
            {
                // A package's list tells its own programs; the others may be anything.
                let real = resolve(tree, &path).unwrap_or(path);
                if context.packages().owner(&real) == Owner::Nobody && foreign < PROGRAMS / 2 {
                    foreign += 1;
                    found.entry(real).or_insert("foreign");
                }
            }
        }
    }
    for path in startup::files(context, LOGIN) {
        found.entry(resolve(tree, &path).unwrap_or(path)).or_insert("login");
    }
    if context.host.kernel().is_some() {
        let own = pids::namespace(context, "self", "mnt").unwrap_or(0);
        for pid in pids::listed(context).into_iter().take(20_000) {
            let Ok(target) = tree.link(format!("/proc/{pid}/exe").as_bytes()) else { continue };
            let same =
                pids::namespace(context, &pid.to_string(), "mnt").is_ok_and(|namespace| namespace == own);
            if same && target.starts_with(b"/") {
                found.entry(target).or_insert("running");
            }
        }
    }
    found.retain(|path, _| tree.meta(path).is_ok_and(|meta| meta.kind == FileKind::File));
    found
}

fn row(context: &Context, path: &[u8], what: &str) -> kinds::LinkedProgram {
    let real = resolve(context.host.tree(), path).unwrap_or_else(|_| path.to_vec());
    let mut row =
        kinds::LinkedProgram { path: path.into(), what: what.to_owned(), ..kinds::LinkedProgram::default() };
    match context.packages().owner(&real) {
        Owner::Package(package) => (row.package, row.packages_known) = (Some(package), true),
        Owner::Nobody => row.packages_known = true,
        Owner::Unknown => {}
    }
    row
}

/// A loader and the paths it names. musl's has no list of libraries for every program, and few names.
fn loader(context: &Context, path: &[u8], out: &mut Out) -> Flow {
    let Some(content) = read(context, path, out)? else { return out.flow() };
    if elf::parse(&content).is_none() {
        return out.flow();
    }
    settings::describe_place(context, path, out)?;
    let mut row = row(context, path, "loader");
    row.names = elf::paths(&content);
    out.fact(Source::file(path), row)
}

fn read(context: &Context, path: &[u8], out: &mut Out) -> std::ops::ControlFlow<(), Option<Vec<u8>>> {
    match context.host.tree().read(path, LARGEST) {
        Ok(content) => std::ops::ControlFlow::Continue(Some(content.bytes)),
        Err(error) => {
            out.unseen(WHAT, &error)?;
            std::ops::ControlFlow::Continue(None)
        }
    }
}

fn program(context: &Context, path: &[u8], because: &str, left: &mut usize, out: &mut Out) -> Flow {
    let Some(content) = read(context, path, out)? else { return out.flow() };
    *left = left.saturating_sub(content.len());
    let Some(found) = elf::parse(&content) else { return out.flow() };
    let directories: Vec<Text> = found.rpath.into_iter().chain(found.runpath).collect();
    let audit: Vec<Text> = found.audit.into_iter().chain(found.dependency_audit).collect();
    let interpreter = found.interpreter.filter(|interpreter| !is_usual(interpreter.as_bytes()));
    if directories.is_empty() && audit.is_empty() && interpreter.is_none() {
        return out.flow();
    }
    let resolved: Vec<Vec<u8>> =
        directories.iter().map(|directory| origin(directory.as_bytes(), path)).collect();
    for place in resolved.iter().map(Vec::as_slice).chain(audit.iter().map(Text::as_bytes)) {
        describe::file(context, place, out)?;
    }
    for file in interpreter.iter().map(Text::as_bytes).chain([path]) {
        settings::describe_place(context, file, out)?;
    }
    let mut row = row(context, path, "program");
    row.interpreter = interpreter;
    row.resolved = resolved.into_iter().map(Text::from).collect();
    (row.directories, row.audit, row.because) = (directories, audit, because.to_owned());
    out.fact(Source::file(path), row)
}

/// Loaders of the usual names in the usual directories; what is wrong with one of those is told of the loader itself.
fn is_usual(path: &[u8]) -> bool {
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    matches!(parent(path), b"/lib" | b"/lib64" | b"/lib32" | b"/libx32" | b"/usr/lib" | b"/usr/lib64")
        && (name.starts_with(b"ld-") || name.starts_with(b"ld64.") || name.starts_with(b"ld.so"))
}

/// `$ORIGIN` is the directory of the program (ld.so(8)); dots of the path are taken away.
fn origin(directory: &[u8], program: &[u8]) -> Vec<u8> {
    let tokens: [&[u8]; 2] = [b"${ORIGIN}", b"$ORIGIN"];
    let rest = tokens.iter().find_map(|token| directory.strip_prefix(*token));
    let whole = match rest {
        Some(rest) => [parent(program), rest].concat(),
        None => directory.to_vec(),
    };
    if !whole.starts_with(b"/") {
        return whole;
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in whole.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    [b"/", parts.join(&b'/').as_slice()].concat()
}
