//! Examiner: the user's rules, searched for in files.

use crate::jobs::{FILE, match_fact, unread};
use crate::{Context, Examiner, ExaminerCard, Flow, Out, Owner, Seen, describe};
use calma_formats::yara::{Scanned, Subject};
use calma_host::{Question, Trouble};
use calma_record::{Gap, Source, kinds};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// This examiner.
pub(super) const EXAMINER: ExaminerCard = ExaminerCard {
    name: "rules",
    doc: "matches of the user's rules in files",
    start: |context| {
        context.searchers()?;
        Some(Box::new(Rules { context: Arc::clone(context), linked: Mutex::default() }))
    },
};

/// What is not searched, in gaps.
const WHAT: &str = "your rules in some files";
/// Files with several names that are told apart.
const LINKED: usize = 1_000_000;

struct Rules {
    context: Arc<Context>,
    linked: Mutex<BTreeSet<(u64, u64)>>,
}

impl Examiner for Rules {
    fn wants(&self, seen: &Seen<'_>) -> bool {
        if !seen.is_file() || seen.stat.size == 0 {
            return false;
        }
        if seen.stat.links < 2 {
            return true;
        }
        let mut linked = self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        linked.len() >= LINKED || linked.insert((seen.stat.device, seen.stat.inode))
    }

    fn examine(&self, seen: &Seen<'_>, out: &mut Out) -> Flow {
        let Some(searchers) = self.context.searchers() else { return out.flow() };
        let path = seen.path();
        let file = match seen.open() {
            Ok(file) => file,
            Err(error) => return out.unseen(WHAT, &error),
        };
        let subject = Subject { path: String::from_utf8_lossy(path).into_owned() };
        // A subject is text alone and always has a JSON form.
        let words = serde_json::to_vec(&subject).unwrap_or_default();
        let answer = searchers.ask(&FILE, Question { words, file: Some(file) });
        let scanned = answer.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|_| Trouble::Lied));
        let Scanned { matches, cut } = match scanned {
            Ok(scanned) => scanned,
            Err(trouble) => return out.gap(unread(WHAT, &trouble).at(path)),
        };
        if cut {
            out.gap(Gap::new(WHAT, "searching one of them took too long; it was searched in part").at(path))?;
        }
        if matches.is_empty() {
            return out.flow();
        }
        let package = match seen.owner() {
            Owner::Package(name) => Some(name),
            Owner::Nobody | Owner::Unknown => None,
        };
        for one in matches {
            let fact = kinds::RuleMatch { path: path.into(), package: package.clone(), ..match_fact(one) };
            out.fact(Source::file(path), fact)?;
        }
        describe::file(&self.context, path, out)
    }
}
