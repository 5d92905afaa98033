//! Examiner: directories that have more subdirectories than their listing shows.

use crate::odd::{self, Bound};
use crate::sweep::Listed;
use crate::{Examiner, ExaminerCard, Flow, Out, Seen};
use calma_host::{Directory, FileKind};

/// This examiner.
pub(super) const EXAMINER: ExaminerCard = ExaminerCard {
    name: "link-counts",
    doc: "directories that have more subdirectories than their listing shows",
    start: |_| Some(Box::new(LinkCounts::default())),
};

/// File systems whose directories have a link for each subdirectory besides two of their own (linux/magic.h): ext2 to
/// ext4, XFS, tmpfs, F2FS. Others, as btrfs and overlay, always say one.
const COUNTING: &[u64] = &[0xef53, 0x5846_5342, 0x0102_1994, 0xf2f5_2010];
/// How often a directory is counted again, since others may work in it.
const AGAIN: u32 = 3;
/// Names counted at most.
const MOST: usize = 200_000;

#[derive(Default)]
struct LinkCounts {
    facts: Bound,
}

impl Examiner for LinkCounts {
    fn wants(&self, _: &Seen<'_>) -> bool {
        false
    }

    fn examine(&self, _: &Seen<'_>, out: &mut Out) -> Flow {
        out.flow()
    }

    fn listed(&self, listed: &Listed<'_>, out: &mut Out) -> Flow {
        let directory = listed.directory;
        if !COUNTING.contains(&directory.filesystem()) || !hides(directory.stat().links, listed.directories) {
            return out.flow();
        }
        for attempt in 0..AGAIN {
            if attempt > 0 {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            let Some((links, directories)) = count(directory.handle()) else { return out.flow() };
            if !hides(links, directories) {
                return out.flow();
            }
            if attempt + 1 == AGAIN && self.facts.one_more() {
                let fact = calma_record::kinds::OddFile {
                    path: directory.path().into(),
                    what: "directory".to_owned(),
                    mode: directory.stat().mode,
                    uid: directory.stat().uid,
                    gid: directory.stat().gid,
                    modified: directory.stat().modified,
                    changed: directory.stat().changed,
                    born: directory.stat().born,
                    reasons: vec!["links".to_owned()],
                    names: listed.names,
                    links,
                    directories,
                    ..Default::default()
                };
                out.fact(odd::comparison(), fact)?;
            }
        }
        out.flow()
    }
}

/// Whether there are more links than two and one for each subdirectory. One alone means that they are not counted.
fn hides(links: u32, directories: u64) -> bool {
    links >= 2 && u64::from(links) - 2 > directories
}

/// Links and listed subdirectories, both taken anew; `None` if the directory was changed meanwhile.
fn count(directory: &dyn Directory) -> Option<(u32, u64)> {
    let anew = directory.enter(b".").ok()?;
    let (mut names, mut directories, mut all) = (Vec::new(), 0, 0);
    loop {
        let more = anew.next(&[], &mut names).ok()?;
        all += names.len();
        for named in names.drain(..) {
            let listed = named.listed == Some(FileKind::Directory);
            directories += u64::from(named.stat.map_or(listed, |stat| stat.kind() == FileKind::Directory));
        }
        if !more {
            break;
        }
        if all > MOST {
            return None;
        }
    }
    let after = directory.enter(b".").ok()?;
    let same = after.stat().modified == anew.stat().modified && after.stat().links == anew.stat().links;
    same.then_some((anew.stat().links, directories))
}
