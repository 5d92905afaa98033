//! Collector: units of the service manager, their drop-ins, and generators of units.

mod places;

use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, describe, settings};
use calma_formats::unit::{self, Setting};
use calma_host::{Entry, FileKind, join, resolve};
use calma_record::{Text, kinds};
use places::{Place, Whose};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "units",
        doing: "Looking at what the service manager starts",
        doc: "units of the service manager, their drop-ins, and generators",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(60),
    },
    collect,
};

/// What a gap of this collector is about.
const WHAT: &str = "units of the service manager";
/// More names than this are not taken from one directory.
const MOST: usize = 20_000;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let mut finder = Finder { context, lingers: lingers(context), seen: BTreeSet::new() };
    for group in places::units(context) {
        finder.group(&group, out)?;
    }
    for (directory, what) in places::generators() {
        finder.generators(&directory, what, out)?;
    }
    Flow::Continue(())
}

/// Accounts whose own manager runs without them (loginctl(1), enable-linger).
fn lingers(context: &Context) -> BTreeSet<Text> {
    let entries = context.host.tree().list(b"/var/lib/systemd/linger").unwrap_or_default();
    entries.into_iter().map(|entry| entry.name).collect()
}

struct Finder<'a> {
    context: &'a Context,
    lingers: BTreeSet<Text>,
    /// Directories seen without their links: `/lib` and `/usr/lib` are one on most systems.
    seen: BTreeSet<(Vec<u8>, Option<Vec<u8>>)>,
}

/// One unit file or drop-in before it is read.
struct Found<'p> {
    name: Vec<u8>,
    path: Vec<u8>,
    drop_in: bool,
    place: &'p Place,
}

impl Finder<'_> {
    /// All directories of one manager, in the order in which they win.
    fn group(&mut self, group: &[Place], out: &mut Out) -> Flow {
        let (mut found, mut enabled) = (Vec::new(), BTreeSet::new());
        for place in group {
            self.directory(place, group, &mut found, &mut enabled, out)?;
        }
        // Where each packaged unit stands, to see what is put before it.
        let mut packaged: BTreeMap<Vec<u8>, (usize, Vec<u8>)> = BTreeMap::new();
        for (index, unit) in found.iter().enumerate().filter(|(_, unit)| !unit.drop_in) {
            if matches!(self.owner(&unit.path), Owner::Package(_)) {
                packaged.insert(unit.name.clone(), (index, unit.path.clone()));
            }
        }
        for (index, unit) in found.iter().enumerate() {
            let below =
                packaged.get(&unit.name).filter(|(at, _)| *at > index || unit.drop_in).map(|(_, path)| path);
            self.unit(unit, below, &enabled, out)?;
        }
        Flow::Continue(())
    }

    fn owner(&self, path: &[u8]) -> Owner {
        let real = resolve(self.context.host.tree(), path).unwrap_or_else(|_| path.to_vec());
        self.context.packages().owner(&real)
    }

    fn list(&mut self, directory: &[u8], out: &mut Out) -> ControlFlow<(), Vec<Entry>> {
        match self.context.host.tree().list(directory) {
            Ok(mut entries) => {
                entries.truncate(MOST);
                ControlFlow::Continue(entries)
            }
            Err(error) => {
                out.unseen(WHAT, &error)?;
                ControlFlow::Continue(Vec::new())
            }
        }
    }

    fn directory<'p>(
        &mut self,
        place: &'p Place,
        group: &[Place],
        found: &mut Vec<Found<'p>>,
        enabled: &mut BTreeSet<Vec<u8>>,
        out: &mut Out,
    ) -> Flow {
        let real = resolve(self.context.host.tree(), &place.path).unwrap_or_else(|_| place.path.clone());
        if !self.seen.insert((real.clone(), place.home().map(<[u8]>::to_vec))) {
            return out.flow();
        }
        // Under the name it is known by: /etc/xdg/systemd/user leads to /etc/systemd/user on most systems.
        let known = group.iter().any(|other| other.path == real);
        let directory = if known { real } else { place.path.clone() };
        for entry in self.list(&directory, out)? {
            let name = entry.name.as_bytes();
            let path = join(&directory, name);
            let below =
                [&b".wants"[..], b".requires", b".upholds"].iter().any(|ending| name.ends_with(ending));
            if below {
                for wanted in self.list(&path, out)? {
                    enabled.insert(wanted.name.as_bytes().to_vec());
                    enabled.insert(template(wanted.name.as_bytes()));
                    // A unit may stand in the directory itself, or be linked from anywhere.
                    let link = join(&path, wanted.name.as_bytes());
                    if !self.leads_to_units(&link) {
                        let name = wanted.name.as_bytes().to_vec();
                        found.push(Found { name, path: link, drop_in: false, place });
                    }
                }
            } else if let Some(unit) = name.strip_suffix(b".d") {
                for part in self.list(&path, out)? {
                    if part.name.as_bytes().ends_with(b".conf") {
                        let path = join(&path, part.name.as_bytes());
                        found.push(Found { name: unit.to_vec(), path, drop_in: true, place });
                    }
                }
            } else if is_unit(name) {
                found.push(Found { name: name.to_vec(), path, drop_in: false, place });
            }
        }
        out.flow()
    }

    /// Whether a link leads into a directory of units, which is looked at anyway, or nowhere.
    fn leads_to_units(&self, link: &[u8]) -> bool {
        let tree = self.context.host.tree();
        tree.meta(link).is_ok_and(|meta| meta.kind == FileKind::Link)
            && resolve(tree, link).is_ok_and(|real| {
                let directory = calma_host::parent(&real);
                directory.ends_with(b"/systemd/system")
                    || directory.ends_with(b"/systemd/user")
                    || tree.meta(&real).is_err()
            })
    }

    fn unit(
        &self,
        found: &Found<'_>,
        below: Option<&Vec<u8>>,
        enabled: &BTreeSet<Vec<u8>>,
        out: &mut Out,
    ) -> Flow {
        let tree = self.context.host.tree();
        let mut fact = kinds::Unit {
            name: found.name.as_slice().into(),
            path: found.path.as_slice().into(),
            what: if found.drop_in { "drop-in" } else { "unit" }.to_owned(),
            enabled: enabled.contains(&found.name) || enabled.contains(&template(&found.name)),
            overrides: below.map(|path| path.as_slice().into()),
            ..kinds::Unit::default()
        };
        if let Whose::Home(home) = &found.place.whose {
            fact.home = Some(home.path.as_slice().into());
            fact.enabled |= self.lingers.contains(&home.account);
        }
        let Ok(meta) = tree.meta(&found.path) else { return out.flow() };
        let mut real = found.path.clone();
        if meta.kind == FileKind::Link {
            fact.target = tree.link(&found.path).ok().map(Text::from);
            real = resolve(tree, &found.path).unwrap_or(real);
        }
        let empty = meta.kind == FileKind::File && meta.size == 0 && !found.drop_in;
        if real == b"/dev/null" || fact.target.as_ref().is_some_and(|target| *target == "/dev/null") || empty
        {
            fact.what = "mask".to_owned();
            return out.fact(found.place.source(&found.path), fact);
        }
        // A link whose target is a unit in a directory of units is another name of it.
        if meta.kind == FileKind::Link && self.leads_to_units(&found.path) {
            fact.what = "alias".to_owned();
            return out.fact(found.place.source(&found.path), fact);
        }
        let meta = tree.meta(&real).unwrap_or(meta);
        (fact.uid, fact.mode) = (meta.uid, meta.mode);
        match self.context.packages().owner(&real) {
            Owner::Package(package) => (fact.package, fact.packages_known) = (Some(package), true),
            Owner::Nobody => fact.packages_known = true,
            Owner::Unknown => {}
        }
        if meta.kind == FileKind::File
            && let Some(bytes) = settings::read(self.context, &found.path, WHAT, out)?
        {
            let settings = unit::parse(&bytes);
            fill(&mut fact, &settings, found.place);
        }
        self.environment_files(&mut fact, out)?;
        describe::file(self.context, &found.path, out)?;
        for line in &fact.commands {
            let command = line.as_bytes().splitn(2, |b| *b == b'=').nth(1).unwrap_or_default();
            describe::command(self.context, command, out)?;
        }
        for line in &fact.environment {
            describe::command(self.context, line.as_bytes(), out)?;
        }
        out.fact(found.place.source(&found.path), fact)
    }

    /// Of the files that `EnvironmentFile=` names, the variables that make programs load or run other files.
    fn environment_files(&self, fact: &mut kinds::Unit, out: &mut Out) -> Flow {
        let named = |line: &Text| line.as_bytes().strip_prefix(b"-").unwrap_or(line.as_bytes()).to_vec();
        let files: Vec<Vec<u8>> = fact
            .environment
            .iter()
            .map(named)
            .filter(|path| path.starts_with(b"/") && !path.contains(&b'%'))
            .collect();
        for path in files {
            let Some(bytes) = settings::read(self.context, &path, WHAT, out)? else { continue };
            for (_, line) in calma_formats::lines::meaningful(&bytes).take(1000) {
                let Some((name, value)) = calma_formats::lines::cut(line, b'=') else { continue };
                let loads = [
                    &b"LD_"[..],
                    b"PATH",
                    b"BASH_ENV",
                    b"ENV",
                    b"PYTHON",
                    b"PERL",
                    b"RUBY",
                    b"NODE_",
                    b"GCONV_PATH",
                ];
                if loads.iter().any(|begin| name.starts_with(begin)) {
                    let value = value.trim_ascii_start().strip_prefix(b"\"").unwrap_or(value);
                    let value = value.strip_suffix(b"\"").unwrap_or(value);
                    fact.environment.push([name, b"=", value].concat().into());
                }
            }
        }
        out.flow()
    }

    fn generators(&mut self, directory: &[u8], what: &str, out: &mut Out) -> Flow {
        let tree = self.context.host.tree();
        let real = resolve(tree, directory).unwrap_or_else(|_| directory.to_vec());
        if !self.seen.insert((real, None)) {
            return out.flow();
        }
        for entry in self.list(directory, out)? {
            let path = join(directory, entry.name.as_bytes());
            let Ok(real) = resolve(tree, &path) else { continue };
            let Ok(meta) = tree.meta(&real) else { continue };
            if meta.kind != FileKind::File {
                continue;
            }
            let (package, packages_known) = match self.context.packages().owner(&real) {
                Owner::Package(package) => (Some(package), true),
                Owner::Nobody => (None, true),
                Owner::Unknown => (None, false),
            };
            describe::file(self.context, &path, out)?;
            let fact = kinds::Unit {
                name: entry.name.clone(),
                what: what.to_owned(),
                commands: vec![path.as_slice().into()],
                as_root: true,
                // Only files that may be executed are run.
                enabled: meta.mode & 0o111 != 0,
                package,
                packages_known,
                uid: meta.uid,
                mode: meta.mode,
                target: (real != path).then(|| real.as_slice().into()),
                path: path.as_slice().into(),
                ..kinds::Unit::default()
            };
            out.fact(calma_record::Source::file(path.as_slice()), fact)?;
        }
        out.flow()
    }
}

/// Takes what matters from a unit's settings.
fn fill(fact: &mut kinds::Unit, settings: &[Setting], place: &Place) {
    let mut dynamic = false;
    for setting in settings {
        let value = &setting.value;
        match setting.name.as_str().unwrap_or_default() {
            "Description" => fact.description = value.clone(),
            "User" => fact.user = Some(value.clone()).filter(|user| !user.is_empty()),
            "DynamicUser" => dynamic = matches!(value.as_bytes(), b"yes" | b"true" | b"1" | b"on"),
            "Unit" | "Service" => fact.starts.push(value.clone()),
            "Environment" => fact.environment.extend(unit::words(value.as_bytes())),
            "EnvironmentFile" => fact.environment.push(value.clone()),
            "ExecSearchPath" => fact.environment.push([b"PATH=", value.as_bytes()].concat().into()),
            "ExecPaths" => {}
            name if name.starts_with("Exec") && !value.is_empty() => {
                fact.commands.push([name.as_bytes(), b"=", value.as_bytes()].concat().into());
            }
            _ => {}
        }
    }
    let root = fact.user.as_ref().is_none_or(|user| *user == "root" || *user == "0") && !dynamic;
    fact.as_root = root && place.as_root();
}

/// `getty@tty1.service` as the name of its template, `getty@.service`.
fn template(name: &[u8]) -> Vec<u8> {
    match (name.iter().position(|b| *b == b'@'), name.iter().rposition(|b| *b == b'.')) {
        (Some(at), Some(dot)) if at < dot => {
            [name.get(..=at).unwrap_or_default(), name.get(dot..).unwrap_or_default()].concat()
        }
        _ => name.to_vec(),
    }
}

fn is_unit(name: &[u8]) -> bool {
    let kinds = [
        "service",
        "socket",
        "timer",
        "path",
        "mount",
        "automount",
        "swap",
        "target",
        "device",
        "slice",
        "scope",
    ];
    let ending = name.rsplit(|b| *b == b'.').next().unwrap_or_default();
    name.contains(&b'.') && kinds.iter().any(|kind| ending == kind.as_bytes())
}
