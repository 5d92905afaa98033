//! Examiner: files whose times contradict each other, their neighbours, or the clock.

use crate::odd::{self, Bound, is_below};
use crate::sweep::Neighbours;
use crate::{Context, Examiner, ExaminerCard, Flow, Out, Seen};
use calma_record::{Gap, Timestamp};
use std::collections::BTreeMap;

/// This examiner.
pub(super) const EXAMINER: ExaminerCard = ExaminerCard {
    name: "odd-times",
    doc: "files whose times contradict each other, those of their neighbours, or the clock",
    start: |context| Some(Box::new(OddTimes::new(context))),
};

const DAY: i64 = 86_400;
/// A file born this much later than most of its neighbours did not come with them.
const LATER: i64 = 120;

struct OddTimes {
    now: Timestamp,
    facts: Bound,
}

impl OddTimes {
    fn new(context: &Context) -> Self {
        Self { now: context.host.clock().now(), facts: Bound::default() }
    }
}

impl Examiner for OddTimes {
    fn wants(&self, _: &Seen<'_>) -> bool {
        false
    }

    fn examine(&self, _: &Seen<'_>, out: &mut Out) -> Flow {
        out.flow()
    }

    fn together(&self, neighbours: &Neighbours<'_>, out: &mut Out) -> Flow {
        if !is_told(neighbours.directory.path()) {
            return out.flow();
        }
        let mut births = None;
        for seen in neighbours.iter().filter(Seen::is_file) {
            let stat = seen.stat;
            let future = stat.modified.seconds().max(stat.changed.seconds()) > self.now.seconds() + DAY;
            let backdated = stat.born.is_some_and(|born| stat.modified.seconds() + DAY < born.seconds());
            if !future && !backdated {
                continue;
            }
            let usual = *births.get_or_insert_with(|| usual(neighbours));
            let alone =
                stat.born.zip(usual).is_some_and(|(born, usual)| born.seconds() > usual.seconds() + LATER);
            // What came together, from an archive or a backup, all has times from before its birth.
            if !(future || alone) || !seen.is_unowned() {
                continue;
            }
            if !self.facts.one_more() {
                return out.gap(Gap::new("files with odd times", "there are too many to record them all"));
            }
            let mut fact = odd::fact(&seen, &[if future { "future" } else { "backdated" }]);
            fact.neighbours_born = usual;
            if !future {
                fact.same_time_as = twin(neighbours, &seen);
            }
            odd::put(&seen, fact, out)?;
        }
        out.flow()
    }
}

/// Where times tell: the system's own places, timetables, keys, and what web servers serve. Elsewhere people unpack, copy
/// and restore as they like.
fn is_told(directory: &[u8]) -> bool {
    const NOT: &[&[u8]] = &[
        b"/usr/local",
        b"/usr/src",
        b"/usr/share/doc",
        b"/usr/share/man",
        b"/etc/ssl/certs",
        b"/etc/letsencrypt",
        b"/root",
    ];
    let keys = directory.ends_with(b"/.ssh");
    let web = is_below(directory, b"/var/www") || is_below(directory, b"/srv/www");
    keys || web || (odd::is_system_place(directory) && !NOT.iter().any(|place| is_below(directory, place)))
}

/// When most of the names that stand together were born: the middle one, their directory among them.
fn usual(neighbours: &Neighbours<'_>) -> Option<Timestamp> {
    let mut births: Vec<_> = neighbours.iter().filter_map(|seen| seen.stat.born).collect();
    births.extend(neighbours.directory.stat().born);
    births.sort_unstable();
    births.get(births.len().saturating_sub(1) / 2).copied()
}

/// A packaged neighbour with the very same time of modification: what `touch -r` leaves.
fn twin(neighbours: &Neighbours<'_>, seen: &Seen<'_>) -> Option<calma_record::Text> {
    let same = neighbours.iter().filter(|other| {
        other.stat.modified == seen.stat.modified && other.name != seen.name && other.is_file()
    });
    let mut packaged = BTreeMap::new();
    for other in same.take(64) {
        if other.package_number().is_some() {
            packaged.insert(other.name.clone(), ());
        }
    }
    packaged.into_keys().next()
}
