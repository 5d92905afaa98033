//! Examiner: set-id files, file capabilities, immutable files, and programs where programs do not belong.

use crate::odd::first_line;
use crate::{Context, Examiner, ExaminerCard, Flow, Out, Owner, Seen};
use calma_record::{Digest, Gap, Source, Text, Timestamp, kinds};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// This examiner.
pub(super) const EXAMINER: ExaminerCard = ExaminerCard {
    name: "special-files",
    doc: "set-id files, file capabilities, immutable files, and programs where programs do not belong",
    start: |context| Some(Box::new(SpecialFiles { context: Arc::clone(context), state: Mutex::default() })),
};

/// What a gap of this examiner is about.
const WHAT: &str = "files with special rights or in odd places";
/// Files put out at most, of temporary folders and of other places: a temporary folder full of planted programs must not
/// drown the rest.
const MOST_TEMPORARY: usize = 2_500;
const MOST_OTHERS: usize = 5_000;
/// Programs of the system's folders that are remembered.
const MOST_PROGRAMS: usize = 100_000;
/// Content that is digested: at most this much a file, and in all.
const DIGESTED: usize = 64 << 20;
const DIGESTED_IN_ALL: u64 = 512 << 20;

struct SpecialFiles {
    context: Arc<Context>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    temporary: usize,
    others: usize,
    digested: u64,
    found: Vec<kinds::SpecialFile>,
    /// Programs of the system's folders by length, to recognise copies of them.
    programs: BTreeMap<u64, Vec<Vec<u8>>>,
    remembered: usize,
}

impl Examiner for SpecialFiles {
    /// Most files are passed over after a look at their mode.
    fn wants(&self, seen: &Seen<'_>) -> bool {
        if !seen.is_file() {
            return false;
        }
        let place = seen.directory.place();
        let executable = seen.is_executable();
        if place.programs && executable {
            let mut state = self.state();
            if state.remembered < MOST_PROGRAMS {
                state.remembered += 1;
                state.programs.entry(seen.stat.size).or_default().push(seen.path().to_vec());
            }
        }
        seen.stat.mode & 0o6000 != 0
            || executable
            || place.temporary
            || place.devices
            || (seen.stat.has(calma_host::IMMUTABLE) && place.guarded)
    }

    fn examine(&self, seen: &Seen<'_>, out: &mut Out) -> Flow {
        let Some(fact) = described(seen) else { return out.flow() };
        let temporary = seen.directory.place().temporary;
        let mut state = self.state();
        let (count, most) = match temporary {
            true => (&mut state.temporary, MOST_TEMPORARY),
            false => (&mut state.others, MOST_OTHERS),
        };
        *count += 1;
        if *count > most {
            drop(state);
            return out.gap(Gap::new(WHAT, "there are too many to record them all").at(seen.path()));
        }
        state.found.push(fact);
        out.flow()
    }

    fn finish(&self, out: &mut Out) -> Flow {
        let mut found = std::mem::take(&mut self.state().found);
        found.sort_by(|a, b| a.path.cmp(&b.path));
        for fact in found {
            out.fact(Source::file(fact.path.clone()), self.complete(fact))?;
        }
        out.flow()
    }
}

/// Why a file is special, if it is.
fn described(seen: &Seen<'_>) -> Option<kinds::SpecialFile> {
    let (stat, place) = (seen.stat, seen.directory.place());
    let executable = seen.is_executable();
    let hidden =
        executable && (place.hidden || (place.hidden_matters && seen.name.as_bytes().starts_with(b".")));
    let odd = place.odd && executable;
    let immutable = stat.has(calma_host::IMMUTABLE);
    let mut fact = kinds::SpecialFile::default();
    let mut because = |reason: &str| fact.reasons.push(reason.to_owned());
    if stat.mode & 0o6000 != 0 && executable {
        because("set-id");
    }
    if immutable && (place.guarded || executable) {
        because("immutable");
    }
    if place.devices {
        because("device-folder");
    }
    let head = if place.temporary || hidden || odd { seen.head().unwrap_or_default() } else { &[] };
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
    if executable && let Ok(Some(value)) = seen.attribute("security.capability") {
        because("capability");
        fact.capability = value.iter().map(|byte| format!("{byte:02x}")).collect();
    }
    if fact.reasons.is_empty() {
        return None;
    }
    (fact.mode, fact.uid, fact.gid, fact.size) = (stat.permissions(), stat.uid, stat.gid, stat.size);
    (fact.modified, fact.changed, fact.born) = (stat.modified, stat.changed, stat.born);
    (fact.immutable, fact.links, fact.path) = (immutable, stat.links, seen.path().into());
    Some(fact)
}

impl SpecialFiles {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first bytes of a file.
    fn head(&self, path: &[u8]) -> Vec<u8> {
        self.context.host.tree().read(path, 128).map(|content| content.bytes).unwrap_or_default()
    }

    /// Adds owner, digest and what the content is.
    fn complete(&self, mut fact: kinds::SpecialFile) -> kinds::SpecialFile {
        let path = fact.path.as_bytes().to_vec();
        match self.context.packages().owner(&path) {
            Owner::Package(package) => {
                fact.installed = self.installed(&package);
                (fact.package, fact.packages_known) = (Some(package), true);
            }
            Owner::Nobody => fact.packages_known = true,
            Owner::Unknown => {}
        }
        if fact.package.is_some() || self.state().digested > DIGESTED_IN_ALL {
            let head = self.head(&path);
            fact.elf = head.starts_with(b"\x7fELF");
            fact.script = first_line(&head);
            return fact;
        }
        let Ok(content) = self.context.host.tree().read(&path, DIGESTED) else { return fact };
        self.state().digested += content.bytes.len() as u64;
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
    fn same_as(&self, path: &[u8], size: u64, bytes: &[u8]) -> Option<Text> {
        let mut candidates = self.state().programs.get(&size).cloned()?;
        candidates.sort();
        for candidate in candidates.iter().filter(|candidate| *candidate != path).take(8) {
            let other = self.context.host.tree().read(candidate, DIGESTED).ok()?;
            self.state().digested += other.bytes.len() as u64;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Item;
    use calma_host::Mem;
    use calma_record::Fact;

    pub(super) fn facts(host: Mem) -> Vec<kinds::SpecialFile> {
        let items = crate::examiner::items(host);
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
                ("/dev/.udev-x", "device-folder", false),
                ("/dev/shm/job", "temporary", false),
                ("/etc/cron.d/x", "immutable", false),
                ("/opt/tool", "capability", false),
                ("/tmp/tool", "temporary", true),
                ("/var/lib/.x/copy", "set-id hidden", true),
            ]
        );
    }
}
