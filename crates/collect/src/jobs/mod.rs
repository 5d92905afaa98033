//! What the confined worker can be asked, one file each.
//!
//! A job is a pure function over bytes: it opens nothing and emits nothing. Its answer is a value in JSON, read back and
//! bounded here. A file that the reader does not survive is a gap, and an important one: nothing ordinary does that.

mod elf;
mod yara;

pub use yara::check_rules;
pub(crate) use yara::{FILE, InMemory, MEMORY, match_fact, searchers};

#[allow(unused_imports, reason = "for collectors that read ELF files")]
pub(crate) use elf::{Each, elf, elfs};

use crate::{Context, Flow, Out};
use calma_host::{Opened, Question, Trouble, WorkerJob};
use calma_record::Gap;
use serde::de::DeserializeOwned;

/// All jobs.
const JOBS: &[WorkerJob] = &[elf::JOB, yara::CHECK, yara::RULES, yara::FILE, yara::MEMORY];

/// The worker's side: answers on standard input until the other end is gone.
pub fn work() {
    calma_host::serve_worker(JOBS);
}

/// Asks `job` about every file, several at once, and hands out what it said with the file's key, in order. `None` stands
/// beside the gap that was put out, with the key's path in it.
#[allow(dead_code, reason = "for collectors that read binary files")]
pub(crate) fn ask_all<K, T: DeserializeOwned>(
    context: &Context,
    job: &WorkerJob,
    what: &str,
    files: impl IntoIterator<Item = (K, Box<dyn Opened>)>,
    path: impl Fn(&K) -> Vec<u8>,
    out: &mut Out,
    each: &mut dyn FnMut(K, Option<T>, &mut Out) -> Flow,
) -> Flow {
    let keys = std::cell::RefCell::new(std::collections::VecDeque::new());
    let stopped = std::cell::Cell::new(false);
    let questions = files.into_iter().take_while(|_| !stopped.get()).map(|(key, file)| {
        keys.borrow_mut().push_back(key);
        Question { words: Vec::new(), file: Some(file) }
    });
    context.workers.ask_all(job, questions, &mut |_, answer| {
        let Some(key) = keys.borrow_mut().pop_front() else { return };
        if stopped.get() {
            return;
        }
        let answer = answer.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|_| Trouble::Lied));
        let flow = match answer {
            Ok(value) => each(key, Some(value), out),
            Err(trouble) => {
                let flow = out.gap(unread(what, &trouble).at(path(&key)));
                if flow.is_continue() { each(key, None, out) } else { flow }
            }
        };
        stopped.set(flow.is_break());
    });
    out.flow()
}

/// The gap for an answer that did not come.
pub(crate) fn unread(what: &str, trouble: &Trouble) -> Gap {
    let gap = Gap::new(what, trouble.to_string());
    match trouble {
        Trouble::TooMuch => gap,
        _ => gap.important(),
    }
}
