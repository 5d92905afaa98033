//! Detector: a process whose program's file was deleted.

use crate::weigh::{
    Files, Processes, identity, is_below, is_deceptive, is_hidden, is_open, is_packaged_place, who,
};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, Text, kinds::Process};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "deleted-program",
        doc: "A process runs a program whose file was deleted.",
        mechanisms: &[12],
        attack: &["T1070.004", "T1036"],
        why: "Intruders delete their program once it runs, so that nothing is found on the disk.",
        innocent: "the program was upgraded or removed while it ran; then the same path, or its package, tells",
        next: "the program is in the case; look what started the process and whom it talks to before you stop it",
    },
    judge,
};

/// How it looks now where the program stood.
enum Now {
    /// Nothing is there.
    Nothing,
    /// A newer file of a package, or of the system where packages are not known.
    Upgraded,
    /// Another file that no package owns.
    Replaced,
    /// A file of a package that stood there before the process was started.
    Older,
    /// Not known: the process lives in another file system.
    Unknown,
}

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let (processes, files) = (Processes::new(tables), Files::new(tables));
    let mut upgraded: Vec<(&Text, Row<'_, Process>)> = Vec::new();
    for row in processes.others().filter(|row| row.deleted && !row.memfd) {
        let Some(program) = &row.fact.program else { continue };
        // The detector of programs in memory tells of those.
        if is_below(program.as_bytes(), b"/dev") {
            continue;
        }
        let path = program.as_bytes();
        let odd = is_open(path) || is_hidden(path) || is_deceptive(path);
        let (severity, certainty, saw) = match now(&files, row.fact, program) {
            _ if odd => (
                Severity::High,
                Certainty::VeryLikely,
                format!("it was started from {program}, and that was deleted"),
            ),
            Now::Upgraded => {
                upgraded.push((program, row));
                continue;
            }
            Now::Unknown if is_packaged_place(path) => (
                Severity::Low,
                Certainty::Possible,
                format!(
                    "{program} was deleted in the file system the process lives in, perhaps by an upgrade there"
                ),
            ),
            Now::Replaced => (
                Severity::Low,
                Certainty::Possible,
                format!("{program} was deleted; another file that no package owns stands there now"),
            ),
            Now::Older => (
                Severity::Medium,
                Certainty::Likely,
                format!("{program} is deleted, and the file that stands there now is older than the process"),
            ),
            Now::Unknown | Now::Nothing => (
                Severity::Medium,
                Certainty::Likely,
                format!("{program} was deleted, and nothing stands there now"),
            ),
        };
        let title = format!("Process {} (\"{}\") runs a program that was deleted", row.pid, row.name);
        drafts.push(
            Draft::new(severity, certainty, identity(row.fact), title)
                .saw(who(row.fact))
                .saw(saw)
                .pid(row.pid)
                .path(program)
                .from(&row, "its program has no name any more"),
        );
    }
    if !upgraded.is_empty() {
        let title = "Programs were upgraded while they ran; the old ones still run".to_owned();
        let mut draft = Draft::new(Severity::Info, Certainty::Likely, "upgraded", title)
            .why("What an upgrade repaired is repaired only when these processes are started again.")
            .innocent("this is what an upgrade does")
            .next("restart these services when the server is back");
        for (program, row) in upgraded.into_iter().take(32) {
            draft = draft
                .saw(format!("process {} still runs the old {program}", row.pid))
                .pid(row.pid)
                .from(&row, "its program was replaced");
        }
        drafts.push(draft);
    }
}

fn now(files: &Files<'_>, process: &Process, program: &Text) -> Now {
    if !process.same_files {
        return Now::Unknown;
    }
    let Some(file) = files.get(program) else { return Now::Nothing };
    if file.what != "file" {
        return Now::Nothing;
    }
    let owned = file.package.is_some() || (!file.packages_known && is_packaged_place(program.as_bytes()));
    // An upgrade puts the new file there after the process was started; clocks are coarse.
    match (owned, file.changed.seconds() + 2 >= process.started.seconds()) {
        (true, true) => Now::Upgraded,
        (true, false) => Now::Older,
        (false, _) => Now::Replaced,
    }
}

#[cfg(test)]
mod tests {
    use calma_record::{Severity, Timestamp};
    use calma_testkit::{Specimen, check, running};

    #[test]
    fn deleted_programs_are_found_wherever_they_stood() {
        let mut host = running(&[]);
        for (pid, program) in [
            (40, "/tmp/x (deleted)"),
            (41, "/usr/bin/helper (deleted)"),
            (42, "/opt/a b/c (deleted)"),
            (43, "/root/.cache/y (deleted)"),
        ] {
            host = Specimen::new(pid, "x").program(program).on(host);
        }
        let seen = check(host);
        let found = seen.alarms("deleted-program");
        assert_eq!(found.len(), 4, "{:?}", seen.findings);
        assert!(found.iter().all(|finding| finding.facts.iter().any(|fact| fact.contains("process 4"))));
    }

    #[test]
    fn an_upgraded_program_is_worth_knowing_only() {
        let host = running(&["/usr/sbin/sshd"])
            .with("/usr/sbin/sshd", |meta| meta.changed = Timestamp::new(1_800_000_000, 0));
        let host = Specimen::new(40, "sshd").program("/usr/sbin/sshd (deleted)").on(host);
        let seen = check(Specimen::new(41, "sshd").program("/usr/sbin/sshd (deleted)").on(host));
        let found = seen.by("deleted-program");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].severity, Severity::Info);
    }

    #[test]
    fn a_program_that_was_put_back_by_renaming_is_older_than_the_process() {
        let host = running(&["/usr/sbin/cron"])
            .with("/usr/sbin/cron", |meta| meta.changed = Timestamp::new(1_600_000_000, 0));
        let seen = check(Specimen::new(40, "cron").program("/usr/sbin/cron (deleted)").on(host));
        assert_eq!(seen.alarms("deleted-program").len(), 1);
    }

    #[test]
    fn a_file_that_is_really_called_deleted_is_not() {
        let name = "/opt/app (deleted)";
        let host = Specimen::new(40, "app").program(name).on(running(&[name]));
        assert!(check(host).by("deleted-program").is_empty());
    }
}
