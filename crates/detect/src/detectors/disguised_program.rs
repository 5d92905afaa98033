//! Detector: a program that says it is another.

use crate::weigh::{Files, Processes, identity, who};
use crate::{Card, Detector, Draft, Tables};
use calma_record::{
    Certainty, Severity, Text,
    kinds::{File, Process},
};
use std::collections::{BTreeMap, BTreeSet};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "disguised-program",
        doc: "A process gives itself the name of a program of the system, and runs another that no package owns.",
        mechanisms: &[11],
        attack: &["T1036.005", "T1036.011"],
        why: "Lists of processes show the name a process gives itself, so this one passes for a program of the system.",
        innocent: "a program you built yourself stands in for the packaged one",
        next: "look at the program it really runs",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let (processes, files) = (Processes::new(tables), Files::new(tables));
    // Names of programs that packages own: those that run, and those that arguments name.
    let owned: BTreeSet<&[u8]> = tables
        .of::<File>()
        .filter(|row| row.package.is_some() && row.fact.what == "file")
        .flat_map(|row| [Some(row.fact.path.file_name()), row.fact.real.as_ref().map(Text::file_name)])
        .flatten()
        .collect();
    let running: BTreeMap<&[u8], u32> = processes
        .others()
        .filter_map(|row| Some((row.fact.program.as_ref()?.file_name(), row.pid)))
        .collect();
    for row in processes.others().filter(|row| row.has_memory && !row.kernel_thread && row.same_files) {
        let process = row.fact;
        let Some(program) = &process.program else { continue };
        let unowned = process.memfd
            || files
                .get(program)
                .is_some_and(|file| file.packages_known && (file.package.is_none() || process.deleted));
        if !unowned {
            continue;
        }
        let Some(claim) =
            claim(process, program, &files, |name| owned.contains(name) && running.contains_key(name))
        else {
            continue;
        };
        let title = format!("Process {} says it is {claim}, and runs {program}", process.pid);
        drafts.push(
            Draft::new(Severity::High, Certainty::Likely, identity(process), title)
                .saw(format!("it shows itself as \"{claim}\", which is a program of the system"))
                .saw(format!("its program is {program}, which no package owns"))
                .saw(who(process))
                .pid(process.pid)
                .path(program)
                .from(&row, "its name and its program differ"),
        );
    }
}

/// The program of the system that the process says it is.
fn claim(
    process: &Process,
    program: &Text,
    files: &Files<'_>,
    is_system: impl Fn(&[u8]) -> bool,
) -> Option<Text> {
    let own = program.file_name();
    let differs = |name: &[u8]| !name.is_empty() && !own.starts_with(name) && !name.starts_with(own);
    if let Some(first) = process.arguments.first() {
        let word = first.as_bytes().split(|b| matches!(b, b' ' | b':')).next().unwrap_or_default();
        let word = word.strip_prefix(b"-").unwrap_or(word);
        let path = Text::from(word);
        if word.starts_with(b"/") {
            let file = files.get(&path).filter(|file| file.package.is_some() && file.fact.what == "file");
            let another = |file: &File| file.real.as_ref().unwrap_or(&file.path) != program;
            if file.is_some_and(|file| another(file.fact)) && differs(path.file_name()) {
                return Some(path);
            }
        } else if differs(word) && is_system(word) {
            return Some(path);
        }
    }
    let name = process.name.as_bytes();
    (differs(name) && is_system(name) && process.arguments.len() <= 1).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, Specimen, check, running};

    fn host() -> Mem {
        let host = running(&["/usr/sbin/sshd", "/usr/sbin/cron", "/usr/bin/bash"]);
        let host = Specimen::new(20, "sshd").program("/usr/sbin/sshd").on(host);
        let host = Specimen::new(21, "bash").program("/usr/bin/bash").on(host);
        ["/opt/agent/run", "/usr/local/sbin/sshd", "/usr/local/bin/tool"]
            .iter()
            .fold(Specimen::new(22, "cron").program("/usr/sbin/cron").on(host), |host, path| {
                host.file(path, "\x7fELF").owned(path, 0o755, 0, 0)
            })
    }

    #[test]
    fn programs_that_say_they_are_others_are_found() {
        let fakes = [
            Specimen::new(40, "run").program("/opt/agent/run").arguments(&["/usr/sbin/sshd", "-D"]),
            Specimen::new(41, "cron").program("/opt/agent/run").arguments(&["cron"]),
            Specimen::new(42, "run").program("/opt/agent/run").arguments(&["sshd: root@pts/0"]),
        ];
        let seen = check(fakes.into_iter().fold(host(), |host, fake| fake.on(host)));
        assert_eq!(seen.alarms("disguised-program").len(), 3, "{:?}", seen.findings);
    }

    #[test]
    fn own_builds_titles_and_packaged_programs_are_not() {
        let ordinary = [
            Specimen::new(40, "sshd").program("/usr/local/sbin/sshd").arguments(&["sshd: me"]),
            Specimen::new(41, "tool").program("/usr/local/bin/tool").arguments(&["tool: worker"]),
            Specimen::new(42, "bash").program("/usr/bin/bash").arguments(&["-bash"]),
            Specimen::new(43, "app").program("/usr/bin/bash").arguments(&["/usr/sbin/sshd"]),
        ];
        let seen = check(ordinary.into_iter().fold(host(), |host, process| process.on(host)));
        assert!(seen.by("disguised-program").is_empty(), "{:?}", seen.by("disguised-program"));
    }
}
