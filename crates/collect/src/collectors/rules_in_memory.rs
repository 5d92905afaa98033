//! Collector: the user's rules, searched for in the memory of processes.

use crate::jobs::{self, InMemory, MEMORY, match_fact};
use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, process};
use calma_formats::process_maps::{self, Area};
use calma_formats::yara::{Scanned, Subject, Window};
use calma_host::{Follow, Input as _, Question, Trouble, read_in_place};
use calma_record::{Gap, Source, kinds};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "rules-in-memory",
        doing: "Searching memory for your rules",
        doc: "matches of the user's rules in the memory of processes",
        volatility: Volatility::UntilReboot,
        needs: Needs::Kernel,
        patience: Duration::from_secs(3600),
    },
    collect,
};

/// What is not searched, in gaps.
const WHAT: &str = "your rules in the memory of some processes";
/// Bytes searched of one process.
const MOST: u64 = 1 << 30;
/// Bytes read at once.
const WINDOW: u64 = 8 << 20;
/// Windows of one process.
const WINDOWS: usize = 16_384;
/// Areas of one process.
const AREAS: usize = 65_536;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let Some(searchers) = context.searchers() else { return out.flow() };
    let own = own(context);
    for pid in process::listed(context.host.tree()).unwrap_or_default() {
        out.flow()?;
        if own.contains(&pid) || context.reader_pids().contains(&pid) {
            continue;
        }
        let tree = context.host.tree();
        let Ok(program) = tree.link(&process::file(pid, "exe")) else { continue };
        let maps = match tree.read(&process::file(pid, "maps"), 8 << 20) {
            Ok(maps) => maps.bytes,
            Err(error) => {
                out.unseen(WHAT, &error)?;
                continue;
            }
        };
        if !context.options.rules_in_all_memory && !stands_out(context, pid, &program, &maps) {
            continue;
        }
        let place = process::file(pid, "mem");
        let file = match tree.open(&place, Follow::No) {
            Ok(file) => file,
            Err(error) => {
                out.unseen(WHAT, &error)?;
                continue;
            }
        };
        let (windows, left_out) = windows(context, pid, &maps);
        if left_out {
            let why = "it has more memory than is searched of one process, or some is swapped out";
            out.gap(Gap::new(WHAT, why).at(place.as_slice()))?;
        }
        let subject = Subject { path: String::from_utf8_lossy(&program).into_owned() };
        let words = serde_json::to_vec(&InMemory { subject, windows }).unwrap_or_default();
        let answer = searchers.ask(&MEMORY, Question { words, file: Some(file) });
        let scanned = answer.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|_| Trouble::Lied));
        let Scanned { matches, cut } = match scanned {
            Ok(scanned) => scanned,
            Err(trouble) => {
                out.gap(jobs::unread(WHAT, &trouble).at(place))?;
                continue;
            }
        };
        if cut {
            let why = "searching one of them took too long; it was searched in part";
            out.gap(Gap::new(WHAT, why).at(place.as_slice()))?;
        }
        for one in matches {
            out.fact(Source::proc(place.as_slice()), kinds::RuleMatch { pid, ..match_fact(one) })?;
        }
    }
    out.flow()
}

/// calma's own processes: this one, its parent (which holds the rules too), and their like.
fn own(context: &Context) -> BTreeSet<u32> {
    let Some(kernel) = context.host.kernel() else { return BTreeSet::new() };
    let own = kernel.own_pid();
    let stat = context.host.tree().read(&process::file(own, "stat"), 4096).map(|content| content.bytes);
    // The name in brackets may hold anything; behind the last one: state, parent.
    let parent = stat.ok().and_then(|stat| {
        let behind = stat.rsplit(|b| *b == b')').next()?.to_vec();
        let parent = behind.split(|b| *b == b' ').filter(|word| !word.is_empty()).nth(1)?.to_vec();
        calma_formats::lines::decimal::<u32>(&parent)
    });
    [own].into_iter().chain(parent.filter(|parent| *parent > 1)).collect()
}

/// Whether a process runs a program, or holds code, that no package brought: a choice of where to look, no judgement.
fn stands_out(context: &Context, pid: u32, program: &[u8], maps: &[u8]) -> bool {
    let (path, deleted) = process::without_mark(program);
    let executable = process_maps::parse(maps);
    if deleted || executable.anonymous > 0 || executable.files.values().any(|name| is_gone(name.as_bytes())) {
        return true;
    }
    // Another file may stand at that path where the process lives.
    let tree = context.host.tree();
    let same = |a: calma_host::Meta| {
        tree.meta_followed(&process::file(pid, "exe"))
            .is_ok_and(|b| (a.device, a.inode) == (b.device, b.inode))
    };
    if !tree.meta_followed(path.as_bytes()).is_ok_and(same) {
        return true;
    }
    match context.packages().owner(path.as_bytes()) {
        Owner::Package(_) => false,
        Owner::Nobody => true,
        Owner::Unknown => {
            let places = [&b"/usr/"[..], b"/bin/", b"/sbin/", b"/lib/", b"/lib64/", b"/opt/"];
            let local = path.as_bytes().starts_with(b"/usr/local/");
            local || !places.iter().any(|place| path.as_bytes().starts_with(place))
        }
    }
}

fn is_gone(name: &[u8]) -> bool {
    name.ends_with(b" (deleted)") || name.starts_with(b"/memfd:")
}

/// What of a process's memory is there to be read, and whether something is left out.
///
/// Only pages that are in memory now are read (pagemap, kernel documentation admin-guide/mm/pagemap): reading others would
/// fetch them from swap or disk, and so raise the very pressure of memory that a search must not. Devices are never read, nor
/// what a file on disk holds unchanged.
fn windows(context: &Context, pid: u32, maps: &[u8]) -> (Vec<Window>, bool) {
    let page = context.host.kernel().map_or(4096, |kernel| kernel.page_size()).max(512);
    let mut pagemap = context.host.tree().open(&process::file(pid, "pagemap"), Follow::No).ok();
    let mut pages = pagemap.as_mut().map(|file| read_in_place(file.as_mut()));
    let (mut windows, mut total, mut left_out): (Vec<Window>, u64, bool) = (Vec::new(), 0, false);
    for area in process_maps::areas(maps, AREAS).iter().filter(|area| is_searched(area)) {
        let mut start = area.start;
        while start < area.end {
            let end = area.end.min(start.saturating_add(WINDOW));
            let runs = match &mut pages {
                Some(pages) => {
                    present(&mut |at, length| pages.piece(at, length), start, end, page, &mut left_out)
                }
                None => vec![Window { start, length: end - start }],
            };
            for run in runs {
                if total.saturating_add(run.length) > MOST || windows.len() >= WINDOWS {
                    return (windows, true);
                }
                total += run.length;
                windows.push(run);
            }
            start = end;
        }
    }
    (windows, left_out)
}

fn is_searched(area: &Area) -> bool {
    let name = area.name.as_bytes();
    let device =
        name.starts_with(b"/dev/") && !name.starts_with(b"/dev/shm/") && !name.starts_with(b"/dev/zero");
    let kernel = name.starts_with(b"[v") || name.starts_with(b"anon_inode:") || name.starts_with(b"socket:");
    let on_disk = name.starts_with(b"/") && !area.writable && !is_gone(name);
    area.readable && !device && !kernel && !on_disk
}

/// The runs of pages between two addresses that are in memory.
fn present(
    read: &mut dyn FnMut(u64, usize) -> Vec<u8>,
    start: u64,
    end: u64,
    page: u64,
    swapped: &mut bool,
) -> Vec<Window> {
    let count = usize::try_from((end - start).div_ceil(page)).unwrap_or(0);
    let entries = read(start / page * 8, count * 8);
    let mut runs: Vec<Window> = Vec::new();
    for (number, entry) in (0_u64..).zip(entries.chunks_exact(8)) {
        let flags = entry.try_into().map_or(0, u64::from_le_bytes);
        *swapped |= flags & (1 << 62) != 0;
        if flags & (1 << 63) == 0 {
            continue;
        }
        let at = start + number * page;
        match runs.last_mut() {
            Some(last) if last.start + last.length == at => last.length += page,
            _ => runs.push(Window { start: at, length: page }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_that_are_there_are_read() {
        let flags: Vec<u8> =
            [1_u64 << 63, 1 << 63, 0, 1 << 62, 1 << 63].iter().flat_map(|f| f.to_le_bytes()).collect();
        let mut swapped = false;
        let runs = present(&mut |_, _| flags.clone(), 0x10000, 0x15000, 4096, &mut swapped);
        let run = |start, length| Window { start, length };
        assert_eq!(runs, [run(0x10000, 0x2000), run(0x14000, 0x1000)]);
        assert!(swapped);
    }

    #[test]
    fn devices_and_what_a_file_holds_unchanged_are_left_alone() {
        let maps = b"1000-2000 rw-p 0 00:00 0 \n2000-3000 rw-s 0 00:05 7 /dev/dri/card0\n3000-4000 r-xp 0 08:01 9 /usr/lib/x.so\n\
                     4000-5000 r-xp 0 00:01 9 /memfd:x (deleted)\n5000-6000 r--p 0 00:00 0 [vvar]\n6000-7000 ---p 0 00:00 0 \n";
        let searched: Vec<u64> = process_maps::areas(maps, 9)
            .iter()
            .filter(|area| is_searched(area))
            .map(|area| area.start)
            .collect();
        assert_eq!(searched, [0x1000, 0x4000]);
    }
}
