//! Collector: what mounts cover, seen in a private copy of the mount below.

use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Patience, Volatility};
use calma_formats::mountinfo::{self, Mount};
use calma_host::{Directory, FileKind, HostError, join};
use calma_record::{Gap, Source, View, kinds::CoveredPlace};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "covered-places",
        doing: "Looking below mounts",
        doc: "directories and files that a mount covers, and what stands below it",
        volatility: Volatility::OnDisk,
        needs: Needs::Kernel,
        patience: Duration::from_secs(60),
    },
    collect,
};

/// What a gap of this collector is about.
const WHAT: &str = "files that mounts cover";
/// Mounts looked below.
const MOUNTS: usize = 512;
/// Names counted below one mount, and how deep.
const NAMES: u64 = 5_000;
const DEPTH: usize = 6;
/// Paths kept of each sort.
const KEPT: usize = 16;
/// How long one mount may take.
const ANSWER: Duration = Duration::from_secs(10);

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let Ok(text) = tree.read(b"/proc/self/mountinfo", 16 << 20) else { return out.flow() };
    let table = mountinfo::parse(&text.bytes);
    let by_id: BTreeMap<u32, &Mount> = table.iter().map(|mount| (mount.id, mount)).collect();
    let fstab = tree.read(b"/etc/fstab", 1 << 20).map(|content| content.bytes).unwrap_or_default();
    let configured: BTreeSet<_> = mountinfo::fstab_points(&fstab).into_iter().collect();
    let mut patience = Patience::new(ANSWER);
    let mut seen = BTreeSet::new();
    for mount in table.iter().take(MOUNTS) {
        let Some(below) = by_id.get(&mount.parent).filter(|below| below.id != mount.id) else { continue };
        let kind = below.filesystem.as_bytes();
        // Only a file system with files of this machine can hide some of them.
        if crate::walk::is_remote(kind) || crate::walk::is_made_by_kernel(kind) || kind == b"devtmpfs" {
            continue;
        }
        let Some(way) = way(mount, below) else { continue };
        if !seen.insert((below.id, way.clone())) {
            continue;
        }
        let (its, mount_point, point) =
            (Arc::clone(context), below.point.as_bytes().to_vec(), mount.point.as_bytes().to_vec());
        let answer = patience.call(move || look(&its, &mount_point, &way, &point));
        match answer {
            None => out.gap(Gap::new(WHAT, "one did not answer in time").at(mount.point.clone()))?,
            Some(Err(error)) => out.unseen(WHAT, &error)?,
            Some(Ok(mut fact)) => {
                if fact.names == 0 && !fact.is_file {
                    continue;
                }
                fact.point = mount.point.clone();
                fact.filesystem = mount.filesystem.clone();
                fact.configured = configured.contains(&mount.point);
                out.fact(Source::kernel(View::SystemCall, "open_tree"), fact)?;
            }
        }
    }
    out.flow()
}

/// The point relative to the mount it stands on; `None` for a mount that covers a whole other one.
fn way(mount: &Mount, below: &Mount) -> Option<Vec<u8>> {
    let base = below.point.as_bytes();
    let rest = mount.point.as_bytes().strip_prefix(base.strip_suffix(b"/").unwrap_or(base))?;
    rest.strip_prefix(b"/").filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec)
}

/// Looks at what stands at `way` on the mount at `mount` alone.
fn look(context: &Context, mount: &[u8], way: &[u8], point: &[u8]) -> Result<CoveredPlace, HostError> {
    let at = way.iter().rposition(|b| *b == b'/');
    let (directory, name) = match at {
        Some(at) => (way.get(..at).unwrap_or_default(), way.get(at + 1..).unwrap_or_default()),
        None => (&b""[..], way),
    };
    let above = context.host.tree().beneath(mount, directory)?;
    let mut fact = CoveredPlace::default();
    match above.enter(name) {
        Ok(covered) => walk(context, covered, point.to_vec(), 0, &mut fact),
        Err(error) => {
            // A mount over a single file.
            if above.open(name).is_err() {
                return Err(error);
            }
            (fact.is_file, fact.names, fact.files) = (true, 1, 1);
            file(context, above.as_ref(), name, point.to_vec(), None, &mut fact);
        }
    }
    Ok(fact)
}

fn walk(
    context: &Context,
    directory: Box<dyn Directory>,
    path: Vec<u8>,
    depth: usize,
    fact: &mut CoveredPlace,
) {
    let mut names = Vec::new();
    while directory.next(&[], &mut names).is_ok_and(|more| more) && (names.len() as u64) < NAMES {}
    for named in names {
        if fact.names >= NAMES {
            return;
        }
        fact.names += 1;
        let Ok(stat) = &named.stat else { continue };
        let (name, here) = (named.name.as_bytes(), join(&path, named.name.as_bytes()));
        match stat.kind() {
            // What is another mount even in the copy does not belong to it.
            FileKind::Directory if depth < DEPTH && stat.device == directory.stat().device => {
                if let Ok(inner) = directory.enter(name) {
                    walk(context, inner, here, depth + 1, fact);
                }
            }
            FileKind::File => {
                fact.files += 1;
                file(context, directory.as_ref(), name, here, Some(stat.mode), fact);
            }
            _ => {}
        }
    }
}

fn file(
    context: &Context,
    directory: &dyn Directory,
    name: &[u8],
    path: Vec<u8>,
    mode: Option<u32>,
    fact: &mut CoveredPlace,
) {
    let keep = |list: &mut Vec<calma_record::Text>, path: Vec<u8>| {
        if list.len() < KEPT {
            list.push(path.into());
        }
    };
    if mode.is_some_and(|mode| mode & 0o6000 != 0 && mode & 0o111 != 0) {
        keep(&mut fact.set_id, path.clone());
    }
    let mut head = Vec::new();
    if let Ok(file) = directory.open(name) {
        let _ = file.take(64).read_to_end(&mut head);
    }
    let program = head.starts_with(b"\x7fELF") || head.starts_with(b"#!");
    if program && !matches!(context.packages().owner(&path), Owner::Package(_)) {
        keep(&mut fact.programs, path);
    } else {
        keep(&mut fact.examples, path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Item, Options, gather};
    use calma_host::Mem;
    use calma_record::Fact;

    #[test]
    fn what_is_covered_is_counted() {
        let table = "1 0 8:1 / / rw - ext4 x rw\n2 1 0:9 / /opt/data rw - tmpfs t rw\n3 1 0:3 / /proc rw - proc p rw\n\
            4 1 8:2 / /home rw - ext4 y rw\n5 1 0:8 / /etc/issue rw - tmpfs t rw\n";
        let host = Mem::running()
            .file("/proc/self/mountinfo", table)
            .file("/etc/fstab", "/dev/x /home ext4 defaults 0 0\n")
            .covered("/opt/data/sub/run", "\x7fELF")
            .covered("/opt/data/list", "text")
            .covered("/home/old", "text")
            .covered("/etc/issue", "text");
        let facts: Vec<_> = gather(&COLLECTOR, &Context::new(Arc::new(host), Options::default()))
            .into_iter()
            .filter_map(|item| match item {
                Item::Fact(_, fact) => match *fact {
                    Fact::CoveredPlace(row) => Some(row),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        let told: Vec<_> =
            facts.iter().map(|row| (row.point.to_string(), row.files, row.configured)).collect();
        assert_eq!(
            told,
            [
                ("/opt/data".to_owned(), 2, false),
                ("/home".to_owned(), 1, true),
                ("/etc/issue".to_owned(), 1, false)
            ]
        );
        assert_eq!(facts[0].programs, ["/opt/data/sub/run"]);
        assert!(facts[2].is_file);
    }
}
