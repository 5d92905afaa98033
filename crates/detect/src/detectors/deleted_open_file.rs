//! Detector: deleted files that a process still holds open.

use crate::weigh::{Processes, is_below, is_deceptive, is_open, unpacks, who};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, kinds::OpenFile, kinds::Process};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "deleted-open-file",
        doc: "A process holds a deleted program, script or log open.",
        mechanisms: &[12, 116],
        attack: &["T1070.004"],
        why: "What is deleted while it is open can still be used, and can still be read by you: nowhere else is it left.",
        innocent: "an update replaced the file, or logs were turned over without telling the program",
        next: "copy it from /proc/PID/fd/NUMBER before the process ends",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let processes = Processes::new(tables);
    for file in tables.of::<OpenFile>().filter(|file| file.what == "deleted") {
        let Some(process) = processes.others().find(|process| process.pid == file.pid) else { continue };
        let Some((severity, title)) = weigh(&file).or_else(|| odd(&file, process.fact)) else { continue };
        let target = &file.fact.target;
        let size = file.size.map_or(String::new(), |size| format!(", {size} bytes"));
        drafts.push(
            Draft::new(severity, Certainty::Likely, format!("{} {}", file.pid, target), title)
                .saw(who(process.fact))
                .saw(format!("descriptor {} holds what was {target}{size}", file.descriptor))
                .pid(file.pid)
                .path(target)
                .from(&file, "the descriptor's link ends in (deleted)"),
        );
    }
}

fn weigh(file: &Row<'_, OpenFile>) -> Option<(Severity, String)> {
    let (target, path) = (&file.fact.target, file.fact.target.as_bytes());
    let pid = file.pid;
    if file.elf || file.script.is_some() {
        let noun = if file.elf { "program" } else { "script" };
        let title = format!("Process {pid} holds a deleted {noun} open: {target}");
        // An update puts the new one into the old one's place.
        return Some((if file.replaced { Severity::Info } else { Severity::Medium }, title));
    }
    if is_deceptive(path) {
        return Some((
            Severity::Medium,
            format!("Process {pid} holds a deleted file with a deceptive name open: {target}"),
        ));
    }
    if is_below(path, b"/var/log") && file.writes && file.size.unwrap_or(0) > 0 {
        let title = format!("A log was deleted while process {pid} writes to it: {target}");
        let severity = if file.replaced || is_turned_over(target.file_name()) {
            Severity::Info
        } else {
            Severity::Medium
        };
        return Some((severity, title));
    }
    None
}

/// What an interpreter still reads of a script without a first line, and what stood in a hidden directory where anybody
/// may make one. Hidden names alone are those of temporary files (`.tmpAb3xQ9`).
fn odd(file: &Row<'_, OpenFile>, process: &Process) -> Option<(Severity, String)> {
    let (target, pid) = (&file.fact.target, file.pid);
    if file.replaced || file.size == Some(0) {
        return None;
    }
    let path = target.as_bytes();
    let name = target.file_name();
    let directory = path.strip_suffix(name).unwrap_or_default();
    // Also `.X11-unix` and its like: sockets stand there, never files.
    let hidden = is_open(path) && directory.split(|b| *b == b'/').any(|part| part.starts_with(b"."));
    let code: [&[u8]; 9] = [b".py", b".pl", b".sh", b".rb", b".php", b".js", b".lua", b".bash", b".pyc"];
    let script = code.iter().any(|end| name.ends_with(end));
    let shells: [&[u8]; 5] = [b"sh", b"bash", b"dash", b"zsh", b"ksh"];
    let interpreter = unpacks(process)
        || process.program.as_ref().is_some_and(|program| shells.contains(&program.file_name()));
    if script && interpreter && (is_open(path) || hidden) {
        let title = format!("Process {pid} holds a deleted script open: {target}");
        return Some((Severity::Medium, title));
    }
    let title = format!("Process {pid} holds a deleted file of a hidden directory open: {target}");
    hidden.then_some((Severity::Medium, title))
}

/// Names that logrotate(8) and journald give to logs they put aside.
fn is_turned_over(name: &[u8]) -> bool {
    let ending = name.rsplit(|b| matches!(b, b'.' | b'-')).next().unwrap_or_default();
    let number = !ending.is_empty() && ending.iter().all(u8::is_ascii_digit);
    number
        || matches!(ending, b"gz" | b"xz" | b"zst" | b"bz2" | b"old")
        || name.contains(&b'@')
        || name.ends_with(b"~")
}

#[cfg(test)]
mod tests {
    use calma_record::Severity;
    use calma_testkit::{Specimen, check, running};

    fn open(target: &str, content: &str, flags: &str) -> calma_testkit::Mem {
        let host = running(&["/usr/bin/worker"]).file(format!("{target} (deleted)"), content);
        Specimen::new(40, "worker")
            .program("/usr/bin/worker")
            .descriptor(7, &format!("{target} (deleted)"))
            .on(host)
            .file("/proc/40/fdinfo/7", format!("pos:\t0\nflags:\t{flags}\n"))
    }

    #[test]
    fn deleted_programs_scripts_and_logs_are_found() {
        for (target, content) in [
            ("/tmp/run", "\x7fELF\x02"),
            ("/opt/x/stage2", "\x7fELF\x02"),
            ("/root/install.sh", "#!/bin/bash\ncurl\n"),
            ("/var/log/auth.log", "a line\n"),
            ("/srv/... /keys", "text"),
        ] {
            let seen = check(open(target, content, "0100001"));
            let found = seen.alarms("deleted-open-file");
            assert_eq!(found.len(), 1, "{target}: {:?}", seen.findings);
            assert!(found[0].subjects.iter().any(|subject| format!("{subject:?}").contains("40")));
        }
    }

    #[test]
    fn scripts_of_interpreters_and_files_of_hidden_directories_are_found() {
        for (program, target) in [
            ("/usr/bin/python3.11", "/var/tmp/.x/run.py"),
            ("/usr/bin/python3", "/tmp/agent.py"),
            ("/usr/bin/perl", "/dev/shm/.q/a"),
            ("/usr/bin/bash", "/tmp/setup.sh"),
            ("/usr/local/bin/w", "/dev/shm/.cache-1/data.bin"),
            ("/usr/local/bin/w", "/var/tmp/.XIM-unix/data"),
        ] {
            let host = running(&[program]).file(format!("{target} (deleted)"), "import os\n");
            let process = Specimen::new(40, "w").program(program);
            let seen = check(process.descriptor(3, &format!("{target} (deleted)")).on(host));
            let found = seen.alarms("deleted-open-file");
            assert_eq!(found.len(), 1, "{target}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(target));
        }
        for (program, target) in [
            ("/usr/bin/python3", "/tmp/tmpab12"),
            ("/usr/bin/python3", "/tmp/.tmpQx81"),
            ("/usr/bin/python3", "/srv/app/run.py"),
            ("/usr/sbin/php-fpm8.2", "/tmp/.ZendSem.x1"),
        ] {
            let host = running(&[program]).file(format!("{target} (deleted)"), "words\n");
            let process = Specimen::new(40, "w").program(program);
            let seen = check(process.descriptor(3, &format!("{target} (deleted)")).on(host));
            assert!(seen.alarms("deleted-open-file").is_empty(), "{target}: {:#?}", seen.findings);
        }
    }

    #[test]
    fn temporary_files_updates_and_turned_over_logs_are_not() {
        for (target, content, flags) in [
            ("/tmp/#sql-ib1", "data", "0100002"),
            ("/tmp/tmpf_x8", "words", "0100002"),
            ("/var/log/syslog.1", "a line\n", "0100001"),
            ("/var/log/journal/x/system@1-2.journal", "LPKSHHRH", "0100002"),
            ("/var/log/auth.log", "a line\n", "0100000"),
        ] {
            let seen = check(open(target, content, flags));
            let bad: Vec<_> =
                seen.by("deleted-open-file").into_iter().filter(|f| f.severity > Severity::Info).collect();
            assert!(bad.is_empty(), "{target}: {bad:#?}");
        }
        let updated =
            open("/usr/bin/worker-lib", "\x7fELF", "0100000").file("/usr/bin/worker-lib", "\x7fELFnew");
        assert!(check(updated).alarms("deleted-open-file").is_empty());
    }
}
