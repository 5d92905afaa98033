//! One intruder's process, socket, file and persistence are one story, not four rows.

use crate::Tables;
use calma_record::{Finding, Severity, Story, Subject, kinds::Process};
use std::collections::BTreeMap;

/// A subject that more findings than this share is no link: half the system runs the same shell.
const COMMON: usize = 40;

/// Gives every finding of medium or higher, and all that shares a subject with one, its story's number.
pub(crate) fn group(tables: &Tables, findings: &mut [Finding]) -> Vec<Story> {
    let mut parents: Vec<usize> = (0..findings.len()).collect();
    let mut by_subject: BTreeMap<Subject, Vec<usize>> = BTreeMap::new();
    let programs: BTreeMap<u32, &Process> = tables.of::<Process>().map(|row| (row.pid, row.fact)).collect();
    for (index, finding) in findings.iter().enumerate() {
        for subject in &finding.subjects {
            by_subject.entry(subject.clone()).or_default().push(index);
            // A process stands for its program too, so that the file a cron line names and the process it became meet.
            if let Subject::Pid(pid) = subject
                && let Some(program) = programs.get(pid).and_then(|process| process.program.as_ref())
                && !crate::weigh::is_common_program(program)
            {
                by_subject.entry(Subject::Path(program.clone())).or_default().push(index);
            }
        }
    }
    for (subject, members) in &by_subject {
        let common = matches!(subject, Subject::Path(path) if crate::weigh::is_common_program(path));
        let account = matches!(subject, Subject::Account(name) if *name == "root");
        if common || account || members.len() > COMMON {
            continue;
        }
        for pair in members.windows(2) {
            if let [a, b] = pair {
                let (a, b) = (root(&mut parents, *a), root(&mut parents, *b));
                if let Some(parent) = parents.get_mut(a.max(b)) {
                    *parent = a.min(b);
                }
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in 0..findings.len() {
        groups.entry(root(&mut parents, index)).or_default().push(index);
    }
    // Findings are sorted worst first, so a group's first member is its worst and groups come worst first.
    let mut stories = Vec::new();
    for members in groups.into_values() {
        let Some(worst) = members.first().and_then(|index| findings.get(*index)) else { continue };
        if worst.severity < Severity::Medium {
            continue;
        }
        let number = u32::try_from(stories.len() + 1).unwrap_or(u32::MAX);
        let (severity, certainty, title) = (worst.severity, worst.certainty, worst.title.clone());
        for index in &members {
            if let Some(finding) = findings.get_mut(*index) {
                finding.story = number;
            }
        }
        stories.push(Story { number, title, severity, certainty, findings: members });
    }
    stories
}

fn root(parents: &mut [usize], mut index: usize) -> usize {
    while let Some(parent) = parents.get(index).copied().filter(|parent| *parent != index) {
        index = parent;
    }
    index
}
