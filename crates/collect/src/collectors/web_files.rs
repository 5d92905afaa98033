//! Collector: scripts in the folders that web servers serve, by what they do with a request.

mod file;

use crate::walk::{Seen, Walk};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, share, web};
use calma_formats::web_script::Language;
use calma_host::{FileKind, Meta, join, resolve};
use calma_record::{Gap, Source};
use file::{File, Use, usage};
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
/// Bytes read of scripts and of other files in all.
const SCRIPTS: u64 = 2 << 30;
const PICTURES: u64 = 1 << 30;
/// Files looked at together, by several threads.
const TOGETHER: usize = 128;
/// Links at the top of a web root that are followed to the site they stand for.
const MOST_LINKS: usize = 256;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let (files, _) = web::read(tree);
    let mut roots = web::roots(context, &files);
    let mut walk = Walk::new(context, WHAT, MOST, out);
    let mut finder = Finder {
        context,
        scripts: SCRIPTS,
        pictures: PICTURES,
        facts: 0,
        links: Vec::new(),
        waiting: Vec::new(),
    };
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
    finder.look(out)?;
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
    /// Files that are looked at together.
    waiting: Vec<File>,
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
        let budget = match usage {
            Use::Nothing => return out.flow(),
            Use::Script => &mut self.scripts,
            Use::Shown => &mut self.pictures,
        };
        if *budget == 0 || meta.size == 0 {
            return out.flow();
        }
        // Taken from what may be read before it is read: many wait together.
        let expected = meta.size.min(usage.limit() as u64);
        *budget = budget.saturating_sub(expected);
        self.waiting.push(File { root: root.to_vec(), path: path.to_vec(), usage, in_uploads, expected });
        if self.waiting.len() < TOGETHER { out.flow() } else { self.look(out) }
    }

    /// Looks at those that wait.
    fn look(&mut self, out: &mut Out) -> Flow {
        let files = std::mem::take(&mut self.waiting);
        let answers = share::each(self.context.options.hurry, &files, |file| file.answer(self.context));
        for (file, answer) in files.iter().zip(answers) {
            let budget = if file.usage == Use::Script { &mut self.scripts } else { &mut self.pictures };
            // It may have grown meanwhile.
            *budget = budget.saturating_sub(answer.read.saturating_sub(file.expected));
            match answer.fact {
                Ok(Some(fact)) if self.facts < MOST_FACTS => {
                    self.facts += 1;
                    let path = file.path.as_slice();
                    let source = if fact.uid == 0 { Source::file(path) } else { Source::owned_file(path) };
                    out.fact(source, fact)?;
                }
                Ok(_) => {}
                Err(error) => out.unseen(WHAT, &error)?,
            }
        }
        out.flow()
    }
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
