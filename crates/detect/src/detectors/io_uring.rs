//! Detector: an odd program that works through io_uring, past what watches system calls.

use crate::weigh::{self, Files, Processes, Weight, identity, who};
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::OpenFile, kinds::Process};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "io-uring",
        doc: "An odd program has the kernel read, write and connect for it through io_uring, which most watchers of system calls do not see.",
        mechanisms: &[18],
        attack: &["T1562", "T1106"],
        why: "Files and connections used that way leave no system call that an audit rule or a security agent could see.",
        innocent: "a database, web server or language runtime of yours uses it to be faster",
        next: "look what the program is and what it is connected to; keep a copy of it",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let (processes, files) = (Processes::new(tables), Files::new(tables));
    let mut rings: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for row in tables.of::<OpenFile>().filter(|row| row.what == "io_uring") {
        rings.entry(row.pid).or_default().push(row);
    }
    for process in processes.others() {
        let Some(open) = rings.get(&process.pid) else { continue };
        let weight = program(&files, process.fact);
        let Some(severity) = weight.severity.filter(|severity| *severity >= Severity::Medium) else {
            continue;
        };
        let title =
            format!("Process {} (\"{}\") works through io_uring and is odd", process.pid, process.name);
        let mut draft = Draft::new(severity, Certainty::Likely, identity(process.fact), title)
            .saw(who(process.fact))
            .saw_all(weight.reasons)
            .pid(process.pid)
            .from(&process, "the process");
        if let Some(program) = &process.fact.program {
            draft = draft.path(program);
        }
        for row in open.iter().take(4) {
            draft = draft.from(row, "holds a ring");
        }
        drafts.push(draft);
    }
}

/// What is odd about the program of a process: where it stands, or that it has no file.
pub(super) fn program(files: &Files<'_>, process: &Process) -> Weight {
    let Some(program) = &process.program else { return Weight::default() };
    let path = program.as_bytes();
    if process.memfd {
        return Weight::of(Severity::High, "it runs from memory alone, without a file");
    }
    if weigh::is_open(path) || weigh::is_deceptive(path) || (process.same_files && weigh::is_hidden(path)) {
        return Weight::of(Severity::High, format!("it runs {program}, where no program is installed"));
    }
    if !process.same_files {
        return Weight::default();
    }
    if process.deleted {
        // After an upgrade another file of a package stands there.
        let there = files
            .get(program)
            .is_some_and(|file| file.what == "file" && (file.package.is_some() || !file.packages_known));
        return if there {
            Weight::default()
        } else {
            Weight::of(Severity::Medium, format!("{program} was deleted"))
        };
    }
    weigh::file(files, program, process.uids.get(1) == Some(&0))
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, Specimen, check, running};

    fn host(program: &str) -> Mem {
        let host = running(&["/usr/sbin/mariadbd"]);
        let specimen = Specimen::new(700, "work").program(program).descriptor(5, "anon_inode:[io_uring]");
        let path = program.strip_suffix(" (deleted)").unwrap_or(program);
        let host = if program.ends_with(')') || path == "/usr/sbin/mariadbd" {
            host
        } else {
            host.file(path, "\x7fELF").owned(path, 0o755, 0, 0)
        };
        specimen.on(host)
    }

    #[test]
    fn odd_programs_with_a_ring_are_found() {
        for program in [
            "/tmp/w",
            "/usr/lib/netd",
            "/opt/.w/run",
            "/memfd:x (deleted)",
            "/usr/bin/kworker (deleted)",
            "/dev/shm/u",
        ] {
            let seen = check(host(program));
            assert_eq!(seen.alarms("io-uring").len(), 1, "{program}: {:#?}", seen.findings);
        }
    }

    #[test]
    fn databases_and_runtimes_are_no_alarm() {
        for program in ["/usr/sbin/mariadbd", "/usr/local/bin/node", "/opt/app/server"] {
            let seen = check(host(program));
            assert!(seen.by("io-uring").is_empty(), "{program}: {:#?}", seen.findings);
        }
    }
}
