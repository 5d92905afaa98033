//! Detector: a process whose program or script stands or does what ordinary ones do not.

use crate::weigh::{self, Files, Processes, Weight, is_open, who};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, Text, kinds::Process};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "running-program",
        doc: "A running program or script stands where nothing is installed, is hidden, or does what intruders do.",
        mechanisms: &[],
        attack: &["T1059", "T1564.001", "T1036.005"],
        why: "Installed programs stand in the system's directories. What runs from temporary or hidden ones was put there by somebody.",
        innocent: "you or an installer run it right now from a temporary directory",
        next: "look who started it and whom it talks to; keep a copy of the file before you stop it",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let (processes, files) = (Processes::new(tables), Files::new(tables));
    let own = tables.run().and_then(|run| processes.get(run.pid)).and_then(|row| row.fact.program.clone());
    let mut odd: BTreeMap<Vec<u8>, (Weight, Vec<Row<'_, Process>>)> = BTreeMap::new();
    for row in processes.others().filter(|row| !row.kernel_thread) {
        // The shell or sudo that started calma names calma's own program.
        let names_own = own.as_ref().is_some_and(|own| {
            row.fact.arguments.iter().any(|argument| weigh::contains(argument.as_bytes(), own.as_bytes()))
        });
        let weight = weight(&files, row.fact, names_own);
        if !weight.counts() {
            continue;
        }
        let what = weight.paths.first().or(row.fact.program.as_ref()).map(|path| path.as_bytes().to_vec());
        let entry = odd.entry(what.unwrap_or_default()).or_default();
        entry.0 = std::mem::take(&mut entry.0).and(weight);
        entry.1.push(row);
    }
    for (what, (weight, rows)) in odd {
        let Some(first) = rows.first() else { continue };
        let severity = weight.severity.unwrap_or(Severity::Low);
        let shown = Text::from(what.as_slice());
        let title = format!("Process {} (\"{}\") runs {shown}", first.pid, first.name);
        let certainty = if severity >= Severity::High { Certainty::VeryLikely } else { Certainty::Likely };
        let mut draft = Draft::new(severity, certainty, &what, title).saw_all(weight.reasons);
        for path in &weight.paths {
            draft = draft.path(path);
        }
        for row in rows.iter().take(16) {
            draft = draft.saw(who(row.fact)).pid(row.pid).from(row, "runs it");
        }
        drafts.push(draft);
    }
}

/// How odd the program and what it was told to run are.
fn weight(files: &Files<'_>, process: &Process, names_own: bool) -> Weight {
    let as_root = process.uids.get(1) == Some(&0);
    let mut weight = Weight::default();
    if let Some(program) = &process.program
        && !process.deleted
        && !weigh::is_below(program.as_bytes(), b"/dev")
    {
        if process.same_files {
            weight = weight.and(weigh::file(files, program, as_root));
        } else if is_open(program.as_bytes()) {
            // Only the place can be judged in another file system.
            weight = weight.and(weigh::file(&Files::default(), program, false));
        }
    }
    if process.same_files && !names_own && process.arguments.len() > 1 {
        weight = weight.and(weigh::command(files, &line(process), as_root));
    }
    weight
}

/// The arguments as a command line for the shell, each quoted, and a relative script made absolute.
fn line(process: &Process) -> Text {
    let mut line = Vec::new();
    let directory = process.directory.as_ref().map_or(&b"/"[..], |directory| directory.as_bytes());
    let script = process.arguments.iter().skip(1).position(|argument| !argument.as_bytes().starts_with(b"-"));
    for (index, argument) in process.arguments.iter().take(64).enumerate() {
        let mut word = argument.as_bytes().to_vec();
        if index == 0
            && let Some(program) = &process.program
        {
            // What runs is the program, whatever the first argument says.
            word = program.as_bytes().to_vec();
        } else if script.is_some_and(|script| script + 1 == index)
            && (word.starts_with(b"./") || word.starts_with(b"../") || word.starts_with(b"."))
        {
            word = [directory, b"/", &word].concat();
        }
        if index > 0 {
            line.push(b' ');
        }
        line.push(b'\'');
        for byte in word {
            if byte == b'\'' {
                line.extend_from_slice(b"'\\''");
            } else {
                line.push(byte);
            }
        }
        line.push(b'\'');
    }
    line.into()
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Specimen, check, running};

    #[test]
    fn programs_and_scripts_in_odd_places_are_found() {
        let mut host = running(&["/usr/bin/python3", "/bin/sh"]);
        for path in ["/tmp/a", "/usr/share/.x/b", "/var/tmp/c.py", "/opt/... /d"] {
            host = host.file(path, "\x7fELF").owned(path, 0o755, 0, 0);
        }
        let odd = [
            Specimen::new(40, "a").program("/tmp/a"),
            Specimen::new(41, "b").program("/usr/share/.x/b"),
            Specimen::new(42, "c").program("/usr/bin/python3").arguments(&["python3", "-u", "/var/tmp/c.py"]),
            Specimen::new(43, "d").program("/opt/... /d"),
        ];
        for process in odd {
            host = process.on(host);
        }
        let seen = check(host);
        let found = seen.alarms("running-program");
        assert_eq!(found.len(), 4, "{:?}", seen.findings);
    }

    #[test]
    fn installed_programs_and_those_of_the_administrator_are_not() {
        let mut host = running(&["/usr/sbin/nginx", "/usr/bin/python3"]);
        for path in ["/opt/app/server", "/usr/local/bin/tool", "/srv/x/run.py"] {
            host = host.file(path, "\x7fELF").owned(path, 0o755, 0, 0);
        }
        let ordinary = [
            Specimen::new(40, "nginx").program("/usr/sbin/nginx").arguments(&["nginx: worker process"]),
            Specimen::new(41, "server")
                .program("/opt/app/server")
                .arguments(&["/opt/app/server", "--tmp=/tmp/x"]),
            Specimen::new(42, "tool").program("/usr/local/bin/tool"),
            Specimen::new(43, "python3").program("/usr/bin/python3").arguments(&["python3", "/srv/x/run.py"]),
        ];
        for process in ordinary {
            host = process.on(host);
        }
        let seen = check(host);
        assert!(seen.by("running-program").is_empty(), "{:?}", seen.findings);
    }
}
