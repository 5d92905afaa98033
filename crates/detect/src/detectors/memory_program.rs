//! Detector: a program that runs from memory and never was a file on disk.

use crate::weigh::{Processes, identity, is_below, who};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, Text, kinds::Process};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "memory-program",
        doc: "A process runs from an anonymous memory file, or from shared memory.",
        mechanisms: &[13],
        attack: &["T1620", "T1027.011"],
        why: "Its program never stood on a disk, so nothing is left to find once it ends. Intruders run their tools this way.",
        innocent: "a container runtime copies itself into memory for the moment in which it starts a container",
        next: "the program is in the case; look what started the process and whom it talks to before you stop it",
    },
    judge,
};

/// What makes processes run one and the same program: its path, device and inode.
type Program<'a> = (&'a Text, Option<u64>, Option<u64>, bool);

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let processes = Processes::new(tables);
    let mut programs: BTreeMap<Program<'_>, Vec<Row<'_, Process>>> = BTreeMap::new();
    for row in processes.others() {
        let process = row.fact;
        let Some(program) = &process.program else { continue };
        let shared = is_below(program.as_bytes(), b"/dev") || is_below(program.as_bytes(), b"/run/shm");
        if process.memfd || shared {
            let runtime = is_runtime(&processes, process);
            programs.entry((program, process.device, process.inode, runtime)).or_default().push(row);
        }
    }
    drafts.extend(programs.into_iter().filter_map(|(program, rows)| draft(&processes, program, &rows)));
}

/// One finding a program, however many processes run it.
fn draft(processes: &Processes<'_>, of: Program<'_>, rows: &[Row<'_, Process>]) -> Option<Draft> {
    let (program, _, _, runtime) = of;
    let first = rows.first()?;
    let place = if first.memfd { "an anonymous memory file" } else { "shared memory" };
    let title = match rows.len() {
        1 => format!("Process {} (\"{}\") runs from {place}", first.pid, first.name),
        more => format!("{more} processes run one program (\"{}\") from {place}", first.name),
    };
    let (severity, certainty) =
        if runtime { (Severity::Info, Certainty::Possible) } else { (Severity::High, Certainty::VeryLikely) };
    let mut draft = Draft::new(severity, certainty, identity(first.fact), title).saw(format!(
        "its program is {program}{}",
        if first.deleted { ", which has no name any more" } else { "" }
    ));
    for row in rows {
        draft = draft.saw(who(row.fact)).pid(row.pid).from(row, "where its program stands");
        if let Some(parent) = processes.get(row.parent) {
            let (child, parent, name) = (row.pid, parent.pid, &parent.name);
            draft = draft.saw(format!("process {parent} (\"{name}\") started {child} or took it over"));
        }
    }
    Some(draft.path(program))
}

/// A container runtime between its own start and the container's: it lives for a moment, and so does its copy in memory
/// (runc, CVE-2019-5736; liblxc does the same).
fn is_runtime(processes: &Processes<'_>, process: &Process) -> bool {
    let named = process.program.as_ref().is_some_and(|program| {
        let name = program.as_bytes().strip_prefix(b"/memfd:").unwrap_or_default();
        name.starts_with(b"runc_cloned:") || name.starts_with(b"lxc-") || name == b"rexec"
    });
    process.memfd && named && processes.age(process) < 10
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Specimen, check, running};

    #[test]
    fn programs_in_memory_are_found_under_any_name() {
        let mut host = running(&[]);
        for (pid, program) in [
            (40, "/memfd: (deleted)"),
            (41, "/memfd:kworker (deleted)"),
            (42, "/dev/shm/.x/y"),
            (43, "/memfd:runc_cloned:/proc/self/exe (deleted)"),
            (44, "/dev/shm/gone (deleted)"),
        ] {
            host = Specimen::new(pid, "x").program(program).on(host);
        }
        let seen = check(host);
        assert_eq!(seen.alarms("memory-program").len(), 5, "{:?}", seen.findings);
    }

    #[test]
    fn a_file_whose_name_says_memfd_is_not() {
        let host = Specimen::new(40, "x").program("/opt/memfd:x").on(running(&["/opt/memfd:x"]));
        assert!(check(host).by("memory-program").is_empty());
    }
}
