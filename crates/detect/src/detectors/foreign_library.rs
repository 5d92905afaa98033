//! Detector: a program of the system that has foreign code mapped.

use crate::weigh::{
    self, Files, Processes, is_deceptive, is_hidden, is_open, is_packaged_place, unpacks, who,
};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{
    Certainty, Severity, Text,
    kinds::{MappedObject, Process},
};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "foreign-library",
        doc: "A process has a library mapped that stands where no library belongs, or that was deleted.",
        mechanisms: &[2, 10, 19],
        attack: &["T1574.006", "T1055"],
        why: "Code in that file runs inside the process with its rights and its name.",
        innocent: "programs in Java, Python and the like unpack libraries into temporary directories and delete them",
        next: "keep a copy of the file, and look what made the process load it",
    },
    judge,
};

/// What one process that has the object loaded weighs, why, and where it was seen.
type Loaded<'a> = (Severity, Vec<String>, Row<'a, MappedObject>);

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let (processes, files) = (Processes::new(tables), Files::new(tables));
    let mut odd: BTreeMap<&Text, Vec<Loaded<'_>>> = BTreeMap::new();
    for row in tables.of::<MappedObject>() {
        let Some(process) = processes.get(row.pid) else { continue };
        if let Some((severity, reasons)) = weight(&files, process.fact, row.fact) {
            odd.entry(&row.fact.path).or_default().push((severity, reasons, row));
        }
    }
    for (path, mut rows) in odd {
        rows.sort_by(|a, b| (b.0, a.2.pid).cmp(&(a.0, b.2.pid)));
        let Some((severity, reasons, first)) = rows.first() else { continue };
        let more = if rows.len() > 1 { format!(" and {} more", rows.len() - 1) } else { String::new() };
        let certainty = if *severity >= Severity::High { Certainty::Likely } else { Certainty::Possible };
        let title = format!("Process {}{more} has {path} loaded", first.pid);
        let mut draft = Draft::new(*severity, certainty, path.as_bytes(), title)
            .saw_all(reasons.iter().cloned())
            .path(path);
        for (_, _, row) in rows.iter().take(16) {
            if let Some(process) = processes.get(row.pid) {
                draft = draft.saw(who(process.fact));
            }
            draft = draft.pid(row.pid).from(row, "has it mapped executable");
        }
        drafts.push(draft);
    }
}

fn weight(files: &Files<'_>, process: &Process, object: &MappedObject) -> Option<(Severity, Vec<String>)> {
    let path = object.path.as_bytes();
    // What the program itself is, other detectors tell.
    if process.program.as_ref() == Some(&object.path) {
        return None;
    }
    // Shared memory and devices that are no files: the kernel makes up their names.
    if path.starts_with(b"/SYSV") || path == b"/dev/zero" || path.starts_with(b"/anon_hugepage") {
        return None;
    }
    let memory = object.deleted && path.starts_with(b"/memfd:");
    let odd = memory || is_open(path) || is_deceptive(path) || (process.same_files && is_hidden(path));
    if odd {
        let kind = if memory { "an anonymous memory file" } else { "where anybody may put files, or hidden" };
        let reason = format!(
            "it stands in {kind}{}",
            if object.deleted && !memory { ", and was deleted" } else { "" }
        );
        // Those unpack their own libraries.
        let (severity, why) = match (is_system(files, process), unpacks(process)) {
            (true, false) => (
                Severity::High,
                "the program that loaded it belongs to a package and has its libraries there",
            ),
            (_, true) => (Severity::Info, "the program is a language's runtime, which may have unpacked it"),
            (false, false) => (Severity::Low, "the program that loaded it is none of the system's"),
        };
        return Some((severity, vec![reason, why.to_owned()]));
    }
    if object.deleted || !process.same_files {
        // An upgrade of a library does that.
        return None;
    }
    let weight = weigh::file(files, &object.path, process.uids.get(1) == Some(&0));
    let severity = weight.severity.filter(|_| weight.counts())?;
    // A module of an interpreter in its own directory is the administrator's.
    let severity = if unpacks(process) { severity.min(Severity::Low) } else { severity };
    Some((severity, weight.reasons))
}

/// Whether a package owns the program, or it stands where packages put theirs.
fn is_system(files: &Files<'_>, process: &Process) -> bool {
    let Some(program) = &process.program else { return false };
    match files.get(program) {
        Some(file) if file.packages_known => file.package.is_some(),
        _ => is_packaged_place(program.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use calma_record::Severity;
    use calma_testkit::{Specimen, check, running};

    #[test]
    fn foreign_code_in_programs_of_the_system_is_found() {
        let mut host = running(&["/usr/sbin/sshd"]);
        for path in ["/tmp/x.so", "/usr/lib/.y/z.so"] {
            host = host.file(path, "\x7fELF");
        }
        let objects = ["/tmp/x.so", "/usr/lib/.y/z.so", "/memfd:a (deleted)", "/var/tmp/gone (deleted)"];
        for (pid, object) in (40..).zip(objects) {
            host = Specimen::new(pid, "sshd").program("/usr/sbin/sshd").maps(object).on(host);
        }
        let seen = check(host);
        assert_eq!(seen.alarms("foreign-library").len(), 4, "{:?}", seen.by("foreign-library"));
    }

    #[test]
    fn upgraded_libraries_and_runtimes_that_unpack_their_own_are_no_alarm() {
        let host =
            running(&["/usr/sbin/sshd", "/usr/lib/jvm/bin/java", "/usr/lib/x86_64-linux-gnu/libc.so.6"]);
        let ordinary = [
            Specimen::new(40, "sshd")
                .program("/usr/sbin/sshd")
                .maps("/usr/lib/x86_64-linux-gnu/libz.so.1.2 (deleted)"),
            Specimen::new(41, "java").program("/usr/lib/jvm/bin/java").maps("/tmp/libnetty123.so (deleted)"),
            Specimen::new(42, "sshd").program("/usr/sbin/sshd").maps("/usr/lib/x86_64-linux-gnu/libc.so.6"),
            Specimen::new(43, "sshd").program("/usr/sbin/sshd").maps("/SYSV00000000 (deleted)"),
        ];
        let seen = check(ordinary.into_iter().fold(host, |host, process| process.on(host)));
        let found = seen.by("foreign-library");
        assert!(found.iter().all(|finding| finding.severity == Severity::Info), "{found:?}");
        assert_eq!(found.len(), 1);
    }
}
