//! Collector: scripts in the folders that web servers serve, by what they do with a request.

use crate::walk::{Seen, Walk};
use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, web};
use calma_formats::web_script::{self, Found, Language, Signal};
use calma_host::{FileKind, Meta, join, resolve};
use calma_record::{Digest, Gap, Source, kinds::WebFile};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "web-files",
        doing: "Looking through the web servers' folders",
        doc: "scripts in the folders that web servers serve, which run what a request says or hide what they do",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(120),
    },
    collect,
};

/// What a gap of this collector is about.
const WHAT: &str = "files in the web servers' folders";
/// Names looked at in all.
const MOST: usize = 200_000;
/// Facts put out at most.
const MOST_FACTS: usize = 5_000;
/// A script is read up to here, another file up to there.
const SCRIPT: usize = 4 << 20;
const PICTURE: usize = 256 << 10;
/// Bytes read of scripts and of other files in all.
const SCRIPTS: u64 = 2 << 30;
const PICTURES: u64 = 1 << 30;
/// Links at the top of a web root that are followed to the site they stand for.
const MOST_LINKS: usize = 256;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let (files, _) = web::read(tree);
    let mut roots = web::roots(context, &files);
    let mut walk = Walk::new(context, WHAT, MOST, out);
    let mut finder = Finder { context, scripts: SCRIPTS, pictures: PICTURES, facts: 0, links: Vec::new() };
    let (mut at, mut links) = (0, 0);
    while let Some(root) = roots.get(at).cloned() {
        at += 1;
        walk.over(&root, MOST, out, &mut |seen, out| finder.directory(&root, seen, out))?;
        // A site is often a link (`current`) to a release that stands elsewhere.
        for link in std::mem::take(&mut finder.links) {
            let Ok(real) = resolve(tree, &link) else { continue };
            let directory = tree.meta(&real).is_ok_and(|meta| meta.kind == FileKind::Directory);
            let known = roots.iter().any(|root| web::is_below(&real, root) || web::is_below(root, &real));
            if directory && !known && web::may_be_root(&real) && links < MOST_LINKS {
                links += 1;
                roots.push(real);
            }
        }
    }
    for (left, what) in [
        (finder.scripts, "scripts in the web servers' folders"),
        (finder.pictures, "pictures in the web servers' folders"),
    ] {
        if left == 0 {
            out.gap(Gap::new(what, "there are too many to read them all"))?;
        }
    }
    out.flow()
}

struct Finder<'a> {
    context: &'a Context,
    /// Bytes that may still be read.
    scripts: u64,
    pictures: u64,
    facts: usize,
    links: Vec<Vec<u8>>,
}

/// How a file's name says it is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// A server runs it.
    Script,
    /// Named as a thing that is shown, or without any telling name: code does not belong into it.
    Shown,
    /// No look at it.
    Nothing,
}

impl Finder<'_> {
    fn directory(&mut self, root: &[u8], seen: &Seen<'_>, out: &mut Out) -> Flow {
        let near_top =
            seen.path.strip_prefix(root).is_some_and(|rest| rest.split(|b| *b == b'/').count() <= 3);
        let uploads = in_uploads(root, seen.path);
        let named_php = |entry: &calma_host::Entry| Language::of(entry.name.as_bytes(), b"") == Language::Php;
        // Program folders may be called `upload` too: there scripts stand together.
        let few = seen.names.iter().filter(|(entry, _)| named_php(entry)).take(4).count() < 4;
        for (entry, meta) in seen.names {
            let name = entry.name.as_bytes();
            if entry.kind == Some(FileKind::Link) && near_top && self.links.len() < MOST_LINKS {
                self.links.push(join(seen.path, name));
            }
            let Some(meta) = meta else { continue };
            if self.facts < MOST_FACTS {
                self.file(root, &join(seen.path, name), name, meta, uploads && few, out)?;
            }
        }
        out.flow()
    }

    fn file(
        &mut self,
        root: &[u8],
        path: &[u8],
        name: &[u8],
        meta: &Meta,
        in_uploads: bool,
        out: &mut Out,
    ) -> Flow {
        let usage = usage(name, meta);
        let (limit, budget) = match usage {
            Use::Nothing => return out.flow(),
            Use::Script => (SCRIPT, &mut self.scripts),
            Use::Shown => (PICTURE, &mut self.pictures),
        };
        if *budget == 0 || meta.size == 0 {
            return out.flow();
        }
        let content = match self.context.host.tree().read(path, limit) {
            Ok(content) => content,
            Err(error) => return out.unseen(WHAT, &error),
        };
        *budget = budget.saturating_sub(content.bytes.len() as u64);
        let language = match usage {
            Use::Script => Language::of(name, &content.bytes),
            _ => Language::Other,
        };
        // A tag alone may stand in compressed data by chance; code behind it does not.
        if language == Language::Other && !has(&content.bytes, b"<?php") && !has(&content.bytes, b"<?=") {
            return out.flow();
        }
        let mut found = web_script::signals(&content.bytes, language);
        // A name without an ending claims nothing: code in such a file counts by what it does alone.
        let disguised = usage == Use::Shown && name.contains(&b'.');
        if usage == Use::Shown && !disguised {
            found.remove(&Signal::PhpCode);
        }
        if !worth(&mut found, disguised, in_uploads, &content.bytes) {
            return out.flow();
        }
        let (package, packages_known) = match self.context.packages().owner(path) {
            Owner::Package(package) => (Some(package), true),
            Owner::Nobody => (None, true),
            Owner::Unknown => (None, false),
        };
        self.facts += 1;
        let meta = &content.meta;
        let fact = WebFile {
            path: path.into(),
            root: root.into(),
            language: language.name().into(),
            signals: found.iter().map(|(signal, line)| format!("{}:{line}", signal.name())).collect(),
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
            size: meta.size,
            modified: meta.modified,
            changed: meta.changed,
            born: meta.born,
            package,
            packages_known,
            digest: (!content.cut).then(|| Digest::of(&content.bytes)),
            in_uploads,
            disguised,
        };
        let source = if meta.uid == 0 { Source::file(path) } else { Source::owned_file(path) };
        out.fact(source, fact)
    }
}

/// Whether a file says enough for a fact. In pictures and other things that are shown, a lone `<?=` is chance.
fn worth(found: &mut Found, disguised: bool, in_uploads: bool, bytes: &[u8]) -> bool {
    let code = found.contains_key(&Signal::PhpCode);
    if disguised {
        let tag = bytes.windows(5).any(|part| part.eq_ignore_ascii_case(b"<?php"));
        return found.keys().any(|signal| *signal != Signal::PhpCode) || (code && tag);
    }
    if !in_uploads {
        found.remove(&Signal::PhpCode);
    }
    !found.is_empty()
}

/// Whether visitors' files go to this folder, by the names between it and the web root.
fn in_uploads(root: &[u8], path: &[u8]) -> bool {
    const NAMES: &[&[u8]] =
        &[b"uploads", b"upload", b"attachments", b"avatars", b"photos", b"pictures", b"images", b"img"];
    let below = path.strip_prefix(root).unwrap_or_default();
    let mut before: &[u8] = b"";
    for part in below.split(|b| *b == b'/') {
        if NAMES.contains(&part) || (part == b"files" && !matches!(before, b"includes" | b"src" | b"lib")) {
            return true;
        }
        before = part;
    }
    false
}

fn usage(name: &[u8], meta: &Meta) -> Use {
    const SCRIPTS: &[&[u8]] = &[
        b"php", b"phtml", b"phar", b"pht", b"inc", b"module", b"jsp", b"jspx", b"jspf", b"jsw", b"asp",
        b"aspx", b"ashx", b"asmx", b"cgi", b"pl", b"py", b"wsgi", b"sh", b"fcgi",
    ];
    const SHOWN: &[&[u8]] = &[
        b"jpg", b"jpeg", b"png", b"gif", b"ico", b"bmp", b"webp", b"svg", b"tif", b"tiff", b"pdf", b"css",
        b"woff", b"woff2", b"ttf", b"mp3", b"mp4", b"log",
    ];
    let lower = name.to_ascii_lowercase();
    let mut parts = lower.split(|b| *b == b'.');
    let first = parts.next().unwrap_or_default();
    let last = parts.next_back();
    let php = |part: &[u8]| {
        part.starts_with(b"php") && part.len() <= 5 && part.iter().skip(3).all(u8::is_ascii_digit)
    };
    match last {
        Some(last) if php(last) || SCRIPTS.contains(&last) => Use::Script,
        // `x.php.jpg` runs where a handler goes by any ending (mod_mime), `.jpg` where a setting says so.
        Some(last) if SHOWN.contains(&last) => Use::Shown,
        _ if lower.split(|b| *b == b'.').skip(1).any(php) => Use::Script,
        None if meta.mode & 0o111 != 0 => Use::Script,
        // Hidden by its name, and none of the settings that stand in web roots.
        Some(_)
            if first.is_empty()
                && !matches!(lower.as_slice(), b".htaccess" | b".user.ini" | b".gitignore") =>
        {
            Use::Shown
        }
        None => Use::Shown,
        Some(_) => Use::Nothing,
    }
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}
