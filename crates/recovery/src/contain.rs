//! Rule 4: a plan from what was found, story by story. Freeze all of it, keep it, unhook it, end it, take it off the system.
//!
//! A step that the finding does not carry with enough certainty is in the plan, not ticked, with the reason. What is
//! proposed is decided by what stands behind a finding: its process, the line or file that a fact names, never by the
//! detector's name.

mod files;
mod machine;
mod suspects;
mod words;

use crate::review::{Review, each_record};
use crate::side::{Side, SideError};
use crate::strays::{is_interpreter, programs};
use calma_case::{Case, CaseError, now};
use calma_host::ground::ProcessLine;
use calma_record::step::{Plan, Step, Target};
use calma_record::{Body, Certainty, Finding, RecordId, Severity, Subject, Text, kinds};
use files::Files;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
pub use suspects::{Suspect, suspects};
pub use words::{describe, revives, undoable, verb};

/// The order in which actions stand in a plan.
const ORDER: [&str; 17] = [
    "note",
    "freeze",
    "preserve",
    "lock-account",
    "leave-group",
    "end-session",
    "destroy-socket",
    "unmount",
    "set-sysctl",
    "edit-line",
    "set-link",
    "unhook-file",
    "unhook-unit",
    "block-module",
    "kill",
    "detach-program",
    "quarantine",
];

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// The case can not be read.
    #[error("{0}")]
    Case(#[from] CaseError),
    /// The machine does not answer.
    #[error("{0}")]
    Side(#[from] SideError),
}

/// One step as it is thought of.
#[derive(Clone, Debug)]
struct Proposal {
    action: &'static str,
    target: Target,
    story: u32,
    finding: String,
    /// Why it is not ticked; empty if it is.
    doubt: String,
}

/// The plan that follows from the newest look of a case.
///
/// # Errors
/// When the case can not be read, or the machine does not answer.
pub fn propose(case: &Case, review: &Review, side: &dyn Side, stories: &[u32]) -> Result<Plan, ProposeError> {
    let findings: Vec<&Finding> = review
        .judgement
        .findings
        .iter()
        .filter(|finding| finding.story > 0 && (stories.is_empty() || stories.contains(&finding.story)))
        .filter(|finding| finding.severity >= Severity::Medium)
        .collect();
    let facts = facts(case, &findings)?;
    let mut lines = side.processes()?;
    let mut files = Files::new(side, case, &findings)?;
    let mut proposals = Vec::new();
    for finding in &findings {
        let doubt = doubt(finding, review);
        let mut add = |action, target, more: String| {
            let doubt = if doubt.is_empty() { more } else { doubt.clone() };
            proposals.push(Proposal {
                action,
                target,
                story: finding.story,
                finding: finding.key.clone(),
                doubt,
            });
        };
        for subject in &finding.subjects {
            if let Subject::Pid(pid) = subject
                && let Some((target, more)) = tree(*pid, review, &lines, &files)
            {
                for action in ["freeze", "preserve", "kill"] {
                    add(action, target.clone(), more.clone());
                }
            }
        }
        let evidence = finding.evidence.iter().filter_map(|evidence| facts.get(&evidence.record));
        let mut handled: BTreeSet<Text> = BTreeSet::new();
        for fact in evidence {
            for (action, target, more) in files.follow(&lines, fact, finding)? {
                let action = if action == "quarantine" && files::starts_something(fact) {
                    "unhook-file"
                } else {
                    action
                };
                handled.extend(target.path().cloned());
                add(action, target, more);
            }
            handled.extend(files::path_of(fact));
        }
        for subject in &finding.subjects {
            match subject {
                Subject::Path(path) if !handled.contains(path) => {
                    if let Some((action, target, more)) = files.whole(path, finding)? {
                        add(action, target, more);
                    }
                }
                _ => {}
            }
        }
    }
    let mut plan = Plan {
        schema: 1,
        host: review.run.host.clone(),
        boot: side.boot().clone(),
        made: now(),
        steps: ordered(proposals.clone(), &lines),
    };
    // What runs one of these files by now and was not there when it was looked at.
    let strays = side.strays(&programs(&plan))?;
    // One that a process of the plan started in the meantime is of its tree.
    lines.extend(strays.iter().cloned());
    for line in strays {
        let target = Target::Tree(line.identity());
        let story =
            plan.steps.iter().filter(|step| step.ticked).map(|step| step.story).min().unwrap_or_default();
        for action in ["freeze", "preserve", "kill"] {
            let (target, finding, doubt) = (target.clone(), String::new(), String::new());
            proposals.push(Proposal { action, target, story, finding, doubt });
        }
    }
    plan.steps = ordered(proposals, &lines);
    Ok(plan)
}

/// Why a finding does not carry a change; empty if it does.
fn doubt(finding: &Finding, review: &Review) -> String {
    let story = review.judgement.stories.iter().find(|story| story.number == finding.story);
    let certainty = story.map_or(finding.certainty, |story| story.certainty.max(finding.certainty));
    if certainty < Certainty::Likely {
        return "calma is not sure enough; it may be yours".to_owned();
    }
    String::new()
}

/// The facts that findings stand on, by where they stand.
fn facts(case: &Case, findings: &[&Finding]) -> Result<BTreeMap<RecordId, Value>, CaseError> {
    let wanted: BTreeSet<&RecordId> = findings
        .iter()
        .flat_map(|finding| finding.evidence.iter().map(|evidence| &evidence.record))
        .collect();
    let mut found = BTreeMap::new();
    each_record(case, |stream, record| {
        let id = RecordId { stream: stream.clone(), seq: record.seq };
        if let (true, Body::Fact { fact, .. }) = (wanted.contains(&id), &record.body) {
            found.insert(id, serde_json::to_value(fact).unwrap_or_default());
        }
    })?;
    Ok(found)
}

/// The tree of a process, if it is still the one that was looked at, and why it is not to be ended without a word.
fn tree(pid: u32, review: &Review, lines: &[ProcessLine], files: &Files<'_>) -> Option<(Target, String)> {
    let line = lines.iter().find(|line| line.pid == pid && !line.is_gone() && !line.kernel_thread)?;
    let seen = review.tables.of::<kinds::Process>().find(|process| process.pid == pid);
    let mut doubt = String::new();
    if let Some(seen) = seen {
        if seen.start_ticks != line.started {
            return None;
        }
        let program = seen.program.clone().unwrap_or_default();
        let package = files.package(&program);
        if let Some(package) = package.filter(|_| !seen.deleted && !seen.memfd && !is_interpreter(&program)) {
            doubt = format!("it runs {program} of the package {package}; ending it stops that service");
        }
    }
    Some((Target::Tree(line.identity()), doubt))
}

/// The steps in order: each target once for an action, a process not below another one of the plan.
fn ordered(proposals: Vec<Proposal>, lines: &[ProcessLine]) -> Vec<Step> {
    let parents: BTreeMap<u32, u32> = lines.iter().map(|line| (line.pid, line.parent)).collect();
    let ticked: BTreeSet<u32> = proposals
        .iter()
        .filter(|one| one.doubt.is_empty())
        .filter_map(|one| if let Target::Tree(name) = &one.target { Some(name.pid) } else { None })
        .collect();
    let below_another = |target: &Target| {
        let Target::Tree(name) = target else { return false };
        let mut at = name.pid;
        for _ in 0..1000 {
            match parents.get(&at) {
                Some(parent) if *parent > 1 && ticked.contains(parent) => return true,
                Some(parent) if *parent > 1 => at = *parent,
                _ => return false,
            }
        }
        false
    };
    let mut steps: Vec<Step> = Vec::new();
    for one in proposals.into_iter().filter(|one| !below_another(&one.target)) {
        let file = |action: &str| matches!(action, "unhook-file" | "quarantine");
        let same = |step: &&mut Step| step.action == one.action || (file(&step.action) && file(one.action));
        match steps.iter_mut().filter(same).find(|step| step.target == one.target) {
            Some(step) => {
                step.findings.extend(Some(one.finding).filter(|key| !key.is_empty()));
                // What starts something goes before what it started is ended.
                if one.action == "unhook-file" {
                    step.action = one.action.to_owned();
                }
                step.story = step.story.min(one.story);
                if one.doubt.is_empty() {
                    step.ticked = true;
                    step.doubt.clear();
                }
            }
            None => steps.push(Step {
                number: 0,
                action: one.action.to_owned(),
                target: one.target,
                story: one.story,
                findings: Some(one.finding).filter(|key| !key.is_empty()).into_iter().collect(),
                ticked: one.doubt.is_empty(),
                doubt: one.doubt,
            }),
        }
    }
    // A file that is taken off whole needs no line taken out of it.
    let whole: BTreeSet<Text> = steps
        .iter()
        .filter(|s| s.ticked && matches!(s.target, Target::File { .. }))
        .filter_map(|s| s.target.path().cloned())
        .collect();
    let needless = |step: &Step| match &step.target {
        Target::Line { path, .. } => whole.contains(path),
        Target::File { path, .. } => !step.ticked && whole.contains(path),
        _ => false,
    };
    steps.retain(|step| !needless(step));
    steps.sort_by_key(|step| (ORDER.iter().position(|action| *action == step.action), step.story));
    for (number, step) in (1..).zip(&mut steps) {
        step.number = number;
    }
    steps
}
