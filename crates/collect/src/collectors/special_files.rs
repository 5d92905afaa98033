//! Collector: set-id files, file capabilities, immutable files, and programs where programs do not belong.

mod place;

use crate::walk::{Seen, Walk};
use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility};
use calma_host::{Meta, join};
use calma_record::{Digest, Source, Text, Timestamp, kinds};
use std::collections::BTreeMap;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "special-files",
        doing: "Looking for set-id files and odd programs",
        doc: "set-id files, file capabilities, immutable files, and programs where programs do not belong",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(60),
    },
    collect,
};

/// Names looked at in all, and below one of the first places.
const MOST: usize = 600_000;
const MOST_EACH: usize = 150_000;
/// Files put out at most: a temporary folder full of planted programs must not drown the rest.
const MOST_FACTS: usize = 5_000;
/// First bytes looked at, to tell programs from other files.
const MOST_HEADS: usize = 20_000;
/// Content that is digested: at most this much a file, and in all.
const DIGESTED: usize = 64 << 20;
const DIGESTED_IN_ALL: u64 = 512 << 20;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let mut finder = Finder { context, heads: 0, facts: 0, digested: 0, programs: BTreeMap::new() };
    let mut walk = Walk::new(context, "files with special rights or in odd places", MOST, out);
    // What is most worth looking at comes first, so that a bound cuts off the rest; `/` then takes what is left.
    let first =
        ["/tmp", "/var/tmp", "/dev", "/run", "/etc", "/root", "/usr/bin", "/usr/sbin", "/usr/lib", "/home"];
    let mut found = Vec::new();
    for root in first.iter().map(|root| (*root, MOST_EACH)).chain([("/", MOST)]) {
        if context.host.tree().meta(root.0.as_bytes()).is_err() {
            continue;
        }
        walk.over(root.0.as_bytes(), root.1, out, &mut |seen, out| {
            finder.directory(seen, &mut found);
            out.flow()
        })?;
    }
    for fact in found {
        out.fact(Source::file(fact.path.clone()), finder.finish(fact))?;
    }
    out.flow()
}

struct Finder<'a> {
    context: &'a Context,
    heads: usize,
    facts: usize,
    digested: u64,
    /// Programs of the system's folders by length, to recognise copies of them.
    programs: BTreeMap<u64, Vec<Vec<u8>>>,
}

impl Finder<'_> {
    /// Looks at one directory's files; most are passed over after a look at their mode.
    fn directory(&mut self, seen: &Seen<'_>, found: &mut Vec<kinds::SpecialFile>) {
        let place = place::of(seen.path);
        for (entry, meta) in seen.names {
            let Some(meta) = meta else { continue };
            let name = entry.name.as_bytes();
            let executable = meta.mode & 0o111 != 0;
            if place.programs && executable {
                self.programs.entry(meta.size).or_default().push(join(seen.path, name));
            }
            let hidden = place.hidden || (place.hidden_matters && name.starts_with(b"."));
            let in_odd_place = executable && (hidden || place.odd);
            let telling = meta.mode & 0o6000 != 0
                || executable
                || place.temporary
                || place.devices
                || (meta.immutable == Some(true) && place.guarded);
            if telling && self.facts < MOST_FACTS {
                let path = join(seen.path, name);
                if let Some(fact) =
                    self.file(&path, meta, &place, hidden && in_odd_place, place.odd && executable)
                {
                    self.facts += 1;
                    found.push(fact);
                }
            }
        }
    }

    fn file(
        &mut self,
        path: &[u8],
        meta: &Meta,
        place: &place::Place,
        hidden: bool,
        odd: bool,
    ) -> Option<kinds::SpecialFile> {
        let tree = self.context.host.tree();
        let executable = meta.mode & 0o111 != 0;
        let mut fact = kinds::SpecialFile::default();
        let mut because = |reason: &str| fact.reasons.push(reason.to_owned());
        if meta.mode & 0o6000 != 0 && executable {
            because("set-id");
        }
        if meta.immutable == Some(true) && (place.guarded || executable) {
            because("immutable");
        }
        if place.devices {
            because("device-folder");
        }
        let head = if place.temporary || hidden || odd { self.head(path) } else { Vec::new() };
        let elf = head.starts_with(b"\x7fELF");
        let program = elf || (executable && head.starts_with(b"#!"));
        if place.temporary && program {
            because("temporary");
        }
        if hidden && program {
            because("hidden");
        }
        if odd && elf {
            because("odd-place");
        }
        if executable && let Ok(Some(value)) = tree.attribute(path, "security.capability") {
            because("capability");
            fact.capability = value.iter().map(|byte| format!("{byte:02x}")).collect();
        }
        if fact.reasons.is_empty() {
            return None;
        }
        (fact.mode, fact.uid, fact.gid, fact.size) = (meta.mode, meta.uid, meta.gid, meta.size);
        (fact.modified, fact.changed, fact.born) = (meta.modified, meta.changed, meta.born);
        (fact.immutable, fact.links, fact.path) = (meta.immutable == Some(true), meta.links, path.into());
        Some(fact)
    }

    /// The first bytes of a file, for as long as there is patience for opening files.
    fn head(&mut self, path: &[u8]) -> Vec<u8> {
        if self.heads >= MOST_HEADS {
            return Vec::new();
        }
        self.heads += 1;
        self.context.host.tree().read(path, 128).map(|content| content.bytes).unwrap_or_default()
    }

    /// Adds owner, digest and what the content is.
    fn finish(&mut self, mut fact: kinds::SpecialFile) -> kinds::SpecialFile {
        let path = fact.path.as_bytes().to_vec();
        match self.context.packages().owner(&path) {
            Owner::Package(package) => {
                fact.installed = self.installed(&package);
                (fact.package, fact.packages_known) = (Some(package), true);
            }
            Owner::Nobody => fact.packages_known = true,
            Owner::Unknown => {}
        }
        if fact.package.is_some() || self.digested > DIGESTED_IN_ALL {
            let head = self.head(&path);
            fact.elf = head.starts_with(b"\x7fELF");
            fact.script = first_line(&head);
            return fact;
        }
        let Ok(content) = self.context.host.tree().read(&path, DIGESTED) else { return fact };
        self.digested += content.bytes.len() as u64;
        fact.elf = content.bytes.starts_with(b"\x7fELF");
        fact.script = first_line(&content.bytes);
        if !content.cut {
            fact.digest = Some(Digest::of(&content.bytes));
        }
        if fact.elf {
            fact.same_as = self.same_as(&path, fact.size, &content.bytes);
        }
        fact
    }

    /// A program of the system with the same content, which is then a copy of it.
    fn same_as(&mut self, path: &[u8], size: u64, bytes: &[u8]) -> Option<Text> {
        let candidates = self.programs.get(&size)?.iter().filter(|candidate| *candidate != path).take(8);
        for candidate in candidates {
            let other = self.context.host.tree().read(candidate, DIGESTED).ok()?;
            self.digested += other.bytes.len() as u64;
            if other.bytes == bytes {
                return Some(candidate.as_slice().into());
            }
        }
        None
    }

    /// When dpkg last wrote the list of a package: what its files' own times are compared with.
    fn installed(&self, package: &Text) -> Option<Timestamp> {
        let tree = self.context.host.tree();
        let name = |suffix: &str| [b"/var/lib/dpkg/info/", package.as_bytes(), suffix.as_bytes()].concat();
        let list = [
            ".list",
            ":amd64.list",
            ":arm64.list",
            ":i386.list",
            ":armhf.list",
            ":ppc64el.list",
            ":s390x.list",
        ];
        let meta = list.iter().find_map(|suffix| tree.meta(&name(suffix)).ok())?;
        Some(meta.changed.max(meta.modified))
    }
}

fn first_line(bytes: &[u8]) -> Option<Text> {
    let line = bytes.split(|b| *b == b'\n').next().filter(|line| line.starts_with(b"#!"))?;
    Some(line.get(..line.len().min(120)).unwrap_or(line).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Item, Options, gather};
    use calma_host::Mem;
    use calma_record::Fact;

    pub(super) fn facts(host: Mem) -> Vec<kinds::SpecialFile> {
        let items = gather(&COLLECTOR, &Context::new(Arc::new(host), Options::default()));
        let fact = |item| match item {
            Item::Fact(_, fact) => match *fact {
                Fact::SpecialFile(file) => Some(file),
                _ => None,
            },
            _ => None,
        };
        items.into_iter().filter_map(fact).collect()
    }

    #[test]
    fn ordinary_files_give_nothing_and_special_ones_say_why() {
        let elf = b"\x7fELF\x02";
        let host = Mem::new()
            .file("/usr/bin/ls", elf)
            .owned("/usr/bin/ls", 0o755, 0, 0)
            .file("/usr/bin/dash", b"\x7fELF\x02shell")
            .owned("/usr/bin/dash", 0o755, 0, 0)
            .file("/var/lib/.x/copy", b"\x7fELF\x02shell")
            .owned("/var/lib/.x/copy", 0o4755, 0, 0)
            .file("/tmp/notes", "hello")
            .file("/tmp/tool", elf)
            .file("/dev/shm/job", "#!/bin/sh\n")
            .owned("/dev/shm/job", 0o700, 33, 33)
            .file("/dev/shm/PostgreSQL.1", "\0\0")
            .file("/dev/.udev-x", "config")
            .fifo("/dev/null")
            .file("/etc/cron.d/x", "")
            .with("/etc/cron.d/x", |meta| meta.immutable = Some(true))
            .file("/opt/tool", "x")
            .owned("/opt/tool", 0o755, 0, 0)
            .xattr("/opt/tool", "security.capability", [1, 0, 0, 2]);
        let seen: Vec<_> =
            facts(host).into_iter().map(|f| (f.path.to_string(), f.reasons.join(" "), f.same_as)).collect();
        let seen: Vec<_> =
            seen.iter().map(|(path, why, same)| (path.as_str(), why.as_str(), same.is_some())).collect();
        assert_eq!(
            seen,
            [
                ("/tmp/tool", "temporary", true),
                ("/dev/.udev-x", "device-folder", false),
                ("/dev/shm/job", "temporary", false),
                ("/etc/cron.d/x", "immutable", false),
                ("/opt/tool", "capability", false),
                ("/var/lib/.x/copy", "set-id hidden", true),
            ]
        );
    }
}
