//! Collector: web applications, their settings, and code that they run by themselves or that stands where none belongs.

mod products;

use crate::walk::{Seen, Walk};
use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, describe, settings, web};
use calma_formats::web_script::{self, Base, Language};
use calma_host::{FileKind, Meta, join, parent, resolve};
use calma_record::kinds::{WebApplication, WebCode};
use calma_record::{Source, Text};
use products::Product;
use std::collections::{BTreeMap, BTreeSet};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "web-applications",
        doing: "Looking at web applications",
        doc: "web applications, their settings, the code they run by themselves, and code among uploads",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(120),
    },
    collect,
};

/// What a gap of this collector is about.
const WHAT: &str = "files of web applications";
/// Names looked at in all.
const MOST: usize = 300_000;
/// Applications, and files of code read for one of them.
const MOST_APPLICATIONS: usize = 500;
const MOST_FILES: usize = 2_000;
/// A file of code is read up to this length.
const LARGEST: usize = 2 << 20;

/// Where packages and administrators put applications besides the folders that are served.
const PLACES: &[&str] = &[
    "/usr/share/wordpress",
    "/usr/share/phpmyadmin",
    "/usr/share/roundcube",
    "/usr/share/nextcloud",
    "/usr/share/mediawiki",
    "/usr/share/moodle",
    "/usr/share/drupal*",
    "/usr/share/webapps/*",
    "/var/lib/roundcube",
    "/var/lib/mediawiki",
    "/var/lib/phpmyadmin",
    "/var/lib/nextcloud",
    "/opt",
    "/srv",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let (files, _) = web::read(tree);
    let mut places: BTreeSet<Vec<u8>> = web::roots(context, &files).into_iter().collect();
    // A framework's site stands around the one folder of it that is served.
    for root in places.clone() {
        let above = parent(&root);
        let name = root.rsplit(|b| *b == b'/').next().unwrap_or_default();
        if [&b"public"[..], b"web", b"pub", b"webroot", b"public_html"].contains(&name)
            && web::may_be_root(above)
        {
            places.insert(above.to_vec());
        }
    }
    places.extend(
        PLACES
            .iter()
            .flat_map(|place| settings::glob(tree, place.as_bytes()))
            .filter_map(|place| resolve(tree, &place).ok()),
    );
    let mut walk = Walk::new(context, WHAT, MOST, out);
    let mut finder = Finder { context, found: Vec::new() };
    let mut done: Vec<Vec<u8>> = Vec::new();
    for place in places {
        if done.iter().any(|known| web::is_below(&place, known)) || tree.meta(&place).is_err() {
            continue;
        }
        walk.over(&place, MOST, out, &mut |seen, out| {
            finder.directory(seen);
            out.flow()
        })?;
        done.push(place);
    }
    let found = std::mem::take(&mut finder.found);
    for one in found {
        finder.put(one, out)?;
    }
    out.flow()
}

/// An application while its folders are walked.
struct Found {
    product: &'static Product,
    root: Vec<u8>,
    uploads: Vec<Vec<u8>>,
    cache: Vec<Vec<u8>>,
    generated: Vec<Vec<u8>>,
    /// Files of code to look at, with their role.
    files: BTreeMap<Vec<u8>, &'static str>,
    row: WebApplication,
}

struct Finder<'a> {
    context: &'a Context,
    found: Vec<Found>,
}

impl Finder<'_> {
    fn directory(&mut self, seen: &Seen<'_>) {
        let in_modules = seen
            .path
            .split(|b| *b == b'/')
            .any(|part| matches!(part, b"node_modules" | b"vendor" | b"site-packages"));
        if !in_modules && self.found.len() < MOST_APPLICATIONS {
            let names: BTreeSet<&[u8]> = seen.names.iter().map(|(entry, _)| entry.name.as_bytes()).collect();
            let fits = |product: &&Product| product.marks.iter().all(|mark| names.contains(mark.as_bytes()));
            if let Some(product) =
                products::ALL.iter().filter(fits).find(|product| self.proven(product, seen.path))
            {
                self.found.push(self.begin(product, seen.path));
            }
        }
        let Some(one) = self
            .found
            .iter_mut()
            .filter(|one| web::is_below(seen.path, &one.root))
            .max_by_key(|one| one.root.len())
        else {
            return;
        };
        let below = |folders: &[Vec<u8>]| folders.iter().any(|folder| web::is_below(seen.path, folder));
        let generated = below(&one.generated);
        let role = if below(&one.uploads) && !generated {
            Some("upload")
        } else if below(&one.cache) && !generated {
            Some("cache")
        } else {
            None
        };
        for (entry, meta) in seen.names {
            let (name, Some(meta)) = (entry.name.as_bytes(), meta) else { continue };
            let path = join(seen.path, name);
            let language = Language::of(name, b"");
            let code = matches!(language, Language::Php | Language::Java | Language::Asp);
            let script = matches!(language, Language::Python | Language::Perl | Language::Shell)
                || name.ends_with(b".cgi");
            if code || script {
                one.row.code = one.row.code.saturating_add(1);
                note_writable(&mut one.row, &path, meta);
            }
            if role.is_some() && (code || script) {
                one.row.code_in_uploads += u32::from(role == Some("upload"));
                if one.files.len() < MOST_FILES {
                    one.files.insert(path, role.unwrap_or_default());
                }
            }
        }
    }

    fn proven(&self, product: &Product, root: &[u8]) -> bool {
        let path = join(root, product.proof.as_bytes());
        product.proof.is_empty()
            || self
                .context
                .host
                .tree()
                .read(&path, 64 << 10)
                .is_ok_and(|content| has(&content.bytes, product.says.as_bytes()))
    }

    fn begin(&self, product: &'static Product, root: &[u8]) -> Found {
        let tree = self.context.host.tree();
        let folders = |names: &[&str]| -> Vec<Vec<u8>> {
            let real = |name: &&str| resolve(tree, &join(root, name.as_bytes())).ok();
            let directory =
                |path: &Vec<u8>| tree.meta(path).is_ok_and(|meta| meta.kind == FileKind::Directory);
            names.iter().filter_map(real).filter(directory).collect()
        };
        let (uploads, cache, generated) =
            (folders(product.uploads), folders(product.cache), folders(product.generated));
        let row = WebApplication {
            product: product.name.to_owned(),
            root: root.into(),
            uploads: uploads.iter().map(|path| path.as_slice().into()).collect(),
            admin: product.admin.iter().map(|address| Text::from(*address)).collect(),
            ..WebApplication::default()
        };
        Found { product, root: root.to_vec(), uploads, cache, generated, files: BTreeMap::new(), row }
    }

    /// Reads what is to be read of an application, and puts it out.
    fn put(&self, mut one: Found, out: &mut Out) -> Flow {
        let tree = self.context.host.tree();
        for (file, before) in one.product.versions {
            let Ok(content) = tree.read(&join(&one.root, file.as_bytes()), 256 << 10) else { continue };
            if let Some(version) = version(&content.bytes, before.as_bytes()) {
                one.row.version = version.into();
                break;
            }
        }
        for pattern in one.product.config {
            for path in settings::glob(tree, &join(&one.root, pattern.as_bytes())).into_iter().take(16) {
                let path = resolve(tree, &path).unwrap_or(path);
                let Some(bytes) = settings::read(self.context, &path, WHAT, out)? else { continue };
                one.row.debug |= one.product.debug.iter().any(|word| has(&bytes, word.as_bytes()));
                one.row.config.push(path.as_slice().into());
                if Language::of(&path, &bytes) == Language::Php {
                    one.files.insert(path, "settings");
                }
            }
        }
        for (pattern, role) in one.product.always {
            for path in
                settings::glob(tree, &join(&one.root, pattern.as_bytes())).into_iter().take(MOST_FILES)
            {
                one.files.entry(path).or_insert(role);
            }
        }
        if let Owner::Package(package) = self.context.packages().owner(&one.root) {
            one.row.package = Some(package);
        }
        for (path, role) in &one.files {
            self.code(&one, path, role, out)?;
        }
        out.fact(Source::owned_file(one.root.as_slice()), one.row)
    }

    fn code(&self, one: &Found, path: &[u8], role: &str, out: &mut Out) -> Flow {
        let tree = self.context.host.tree();
        let package = match self.context.packages().owner(path) {
            // What a package brings is the package's own.
            Owner::Package(_) if role != "settings" => return out.flow(),
            Owner::Package(package) => Some(package),
            _ => None,
        };
        let content = match tree.read(path, LARGEST) {
            Ok(content) => content,
            Err(error) => return out.unseen(WHAT, &error),
        };
        let language = Language::of(path, &content.bytes);
        let outline = web_script::outline(&content.bytes);
        let stray = matches!(role, "upload" | "cache");
        let script = stray && !matches!(language, Language::Php | Language::Other);
        if script && role == "upload" {
            describe::file(self.context, path, out)?;
        }
        if !outline.does_something && !script {
            return out.flow();
        }
        let mut includes = Vec::new();
        for include in &outline.includes {
            let written = include.path.as_bytes();
            let target = match include.base {
                Base::Here if written.starts_with(b"/") && !from_here(&content.bytes, include.line) => {
                    written.to_vec()
                }
                Base::Here => {
                    join(parent(path), written.trim_ascii_start().strip_prefix(b"/").unwrap_or(written))
                }
                Base::Site => join(&one.root, written.strip_prefix(b"/").unwrap_or(written)),
                Base::Content => {
                    join(&join(&one.root, b"wp-content"), written.strip_prefix(b"/").unwrap_or(written))
                }
                Base::Unknown => [b"?", written].concat(),
            };
            if target.starts_with(b"/") {
                describe::file(self.context, &target, out)?;
            }
            let mark = if include.hidden { "!" } else { "" };
            includes.push(Text::from([format!("{}:{mark}", include.line).as_bytes(), &target].concat()));
        }
        let meta = &content.meta;
        let fact = WebCode {
            path: path.into(),
            root: one.root.as_slice().into(),
            product: one.product.name.to_owned(),
            role: role.to_owned(),
            acts: outline.acts.iter().map(|(act, line)| format!("{}:{line}", act.name())).collect(),
            includes,
            mode: meta.mode,
            uid: meta.uid,
            size: meta.size,
            modified: meta.modified,
            package,
            does_something: outline.does_something,
            script,
        };
        let source = if meta.uid == 0 { Source::file(path) } else { Source::owned_file(path) };
        out.fact(source, fact)
    }
}

/// Whether the line names the script's own folder, from which the path behind it is meant.
fn from_here(bytes: &[u8], line: u32) -> bool {
    let text = bytes.split(|b| *b == b'\n').nth(line.saturating_sub(1) as usize).unwrap_or_default();
    has(text, b"__DIR__") || has(text, b"__FILE__") || has(text, b"__dir__")
}

fn note_writable(row: &mut WebApplication, path: &[u8], meta: &Meta) {
    let (world, owner) = (meta.mode & 0o002 != 0, meta.uid != 0 && meta.uid < 1000 && meta.mode & 0o200 != 0);
    row.world_writable += u32::from(world);
    if world || owner {
        row.writable += 1;
        if world || row.writable_example.is_none() {
            row.writable_example = Some(path.into());
        }
    }
}

/// What stands behind `before`, up to a quote or a bracket.
fn version<'a>(bytes: &'a [u8], before: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.windows(before.len()).position(|window| window == before)? + before.len();
    let rest = bytes.get(at..)?;
    let end = rest.iter().take(64).position(|b| matches!(b, b'\'' | b'"' | b'<' | b'\n'))?;
    rest.get(..end)
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}
