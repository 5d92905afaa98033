//! Collector: the user's rules, searched for in files.

use crate::jobs::{self, FILE};
use crate::walk::{Seen, Walk};
use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, describe};
use calma_formats::yara::{Scanned, Subject};
use calma_host::{FileKind, Follow, HostError, Opened, Question, Trouble, join};
use calma_record::{Gap, Source, Text, kinds};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "rules-in-files",
        doing: "Searching files for your rules",
        doc: "matches of the user's rules in files",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(8 * 3600),
    },
    collect,
};

/// What is not searched, in gaps.
const WHAT: &str = "your rules in some files";
/// Names looked at.
const MOST: usize = 20_000_000;
/// Files with several names that are told apart.
const LINKED: usize = 1_000_000;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    if context.searchers().is_none() {
        return out.flow();
    }
    let (to, from) = sync_channel(256);
    let from = Mutex::new(from);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from).clamp(1, 4) {
            let (mut out, from) = (out.clone(), &from);
            let work = move || {
                calma_host::behave(calma_host::Manners::Gentle);
                search(context, from, &mut out)
            };
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        let mut linked = BTreeSet::new();
        let mut walk = Walk::new(context, WHAT, MOST, out);
        walk.over(b"/", MOST, out, &mut |seen: &Seen<'_>, out| {
            for (entry, meta) in seen.names {
                let Some(meta) = meta.as_ref().filter(|meta| meta.kind == FileKind::File && meta.size > 0)
                else {
                    continue;
                };
                if meta.links > 1 && linked.len() < LINKED && !linked.insert((meta.device, meta.inode)) {
                    continue;
                }
                out.flow()?;
                // The searchers are gone: the run was stopped.
                if to.send(join(seen.path, entry.name.as_bytes())).is_err() {
                    return Flow::Break(());
                }
            }
            out.flow()
        })?;
        drop(to);
        out.flow()
    })
}

/// Searches the files whose paths come, several on their way to the worker at once.
fn search(context: &Context, from: &Mutex<Receiver<Vec<u8>>>, out: &mut Out) -> Flow {
    let Some(searchers) = context.searchers() else { return out.flow() };
    let asked: RefCell<VecDeque<Vec<u8>>> = RefCell::default();
    let unread: RefCell<Vec<HostError>> = RefCell::default();
    let stopped = RefCell::new(false);
    let mut calm = Instant::now();
    let questions = std::iter::from_fn(|| {
        loop {
            if *stopped.borrow() {
                return None;
            }
            if !context.options.hurry && calm.elapsed() > Duration::from_secs(1) {
                hold_back(context);
                calm = Instant::now();
            }
            let path = from.lock().ok()?.recv().ok()?;
            match context.host.tree().open(&path, Follow::No) {
                Ok(file) => return Some(question(&asked, path, file)),
                Err(error) => unread.borrow_mut().push(error),
            }
        }
    });
    searchers.ask_all(&FILE, questions, &mut |_, answer| {
        let Some(path) = asked.borrow_mut().pop_front() else { return };
        let mut flow = out.flow();
        for error in unread.borrow_mut().drain(..) {
            flow = out.unseen(WHAT, &error);
        }
        if flow.is_continue() {
            flow = answered(context, &path, answer, out);
        }
        *stopped.borrow_mut() = flow.is_break();
    });
    for error in unread.into_inner() {
        out.unseen(WHAT, &error)?;
    }
    out.flow()
}

fn question(asked: &RefCell<VecDeque<Vec<u8>>>, path: Vec<u8>, file: Box<dyn Opened>) -> Question {
    let subject = Subject { path: String::from_utf8_lossy(&path).into_owned() };
    asked.borrow_mut().push_back(path);
    // A subject is text alone and always has a JSON form.
    Question { words: serde_json::to_vec(&subject).unwrap_or_default(), file: Some(file) }
}

/// Waits a moment while the host is short of memory or disk time.
fn hold_back(context: &Context) {
    if context.host.kernel().is_some() && calma_host::pressed(context.host.tree()) {
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn answered(context: &Context, path: &[u8], answer: Result<Vec<u8>, Trouble>, out: &mut Out) -> Flow {
    let scanned = answer.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|_| Trouble::Lied));
    let Scanned { matches, cut } = match scanned {
        Ok(scanned) => scanned,
        Err(trouble) => return out.gap(jobs::unread(WHAT, &trouble).at(path)),
    };
    if cut {
        out.gap(Gap::new(WHAT, "searching one of them took too long; it was searched in part").at(path))?;
    }
    let package = match context.packages().owner(path) {
        Owner::Package(name) => Some(name),
        Owner::Nobody | Owner::Unknown => None,
    };
    let any = !matches.is_empty();
    for one in matches {
        let fact = kinds::RuleMatch { path: path.into(), package: package.clone(), ..fact(one) };
        out.fact(Source::file(path), fact)?;
    }
    if any { describe::file(context, path, out) } else { out.flow() }
}

/// A match as a fact.
pub(super) fn fact(one: calma_formats::yara::Match) -> kinds::RuleMatch {
    let place = |(name, places): (String, Vec<u64>)| {
        let places: Vec<String> = places.iter().map(|place| format!("{place:#x}")).collect();
        Text::from(format!("{name} at {}", places.join(", "))).to_string()
    };
    let printable = |text: String| Text::from(text).to_string();
    kinds::RuleMatch {
        rule: printable(one.rule),
        namespace: printable(one.namespace),
        tags: one.tags.into_iter().map(printable).collect(),
        severity: printable(one.severity),
        description: printable(one.description),
        strings: one.strings.into_iter().map(place).collect(),
        ..kinds::RuleMatch::default()
    }
}
