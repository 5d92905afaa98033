//! Detector: a process that poses as a thread of the kernel.

use crate::weigh::{Files, Processes, identity, who};
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::Process};
use std::collections::BTreeSet;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "fake-kernel-thread",
        doc: "A process poses as a thread of the kernel, or the kernel was made to start it.",
        mechanisms: &[11],
        attack: &["T1036.009", "T1036.004"],
        why: "Lists of processes show names of kernel threads in brackets, and nobody looks at those. The kernel says that this one is an ordinary process.",
        innocent: "",
        next: "look at its program and at what it is connected to",
    },
    judge,
};

/// Stems of names that the kernel itself gives its threads (kthread_create in the kernel's source), for hosts on which
/// none can be seen, as in a container.
const STEMS: [&str; 22] = [
    "kthreadd",
    "kworker",
    "ksoftirqd",
    "migration",
    "rcu_sched",
    "rcu_preempt",
    "rcu_tasks",
    "rcu_gp",
    "kswapd",
    "khugepaged",
    "kcompactd",
    "kdevtmpfs",
    "khungtaskd",
    "kauditd",
    "oom_reaper",
    "kblockd",
    "kintegrityd",
    "cpuhp",
    "idle_inject",
    "xfsaild",
    "scsi_eh_",
    "kthrotld",
];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let (processes, files) = (Processes::new(tables), Files::new(tables));
    let mut stems: BTreeSet<&[u8]> = STEMS.iter().map(|stem| stem.as_bytes()).collect();
    stems.extend(
        tables
            .of::<Process>()
            .filter(|row| row.kernel_thread)
            .filter_map(|row| Some(stem(row.fact.name.as_bytes())).filter(|stem| stem.len() > 4)),
    );
    let first = processes.get(2).filter(|row| row.kernel_thread && row.name == "kthreadd");
    for row in processes.others().filter(|row| !row.kernel_thread && row.has_memory) {
        let process = row.fact;
        let mut signs = Vec::new();
        let mut severity = Severity::High;
        if bracketed(process) {
            signs
                .push("it writes its name in brackets, as lists of processes show kernel threads".to_owned());
        }
        if poses(process, &files, &stems) {
            signs.push(format!("it calls itself \"{}\", a name of the kernel's own threads", process.name));
        }
        if signs.is_empty() && first.is_some() && process.parent == 2 && processes.age(process) > 60 {
            severity = Severity::Medium;
            signs.push(
                "the kernel itself started it, and it still runs; helpers of the kernel end at once"
                    .to_owned(),
            );
        }
        if signs.is_empty() && cleared(&processes, process) {
            severity = if unowned(&files, process) { Severity::Medium } else { Severity::Low };
            signs.push("it has wiped its arguments, so lists show its name in brackets".to_owned());
        }
        if signs.is_empty() {
            continue;
        }
        let title = if severity == Severity::High {
            format!("Process {} (\"{}\") poses as a thread of the kernel", process.pid, process.name)
        } else {
            format!(
                "Process {} (\"{}\") looks like a thread of the kernel and is none",
                process.pid, process.name
            )
        };
        let certainty = if severity == Severity::High { Certainty::VeryLikely } else { Certainty::Likely };
        let mut draft = Draft::new(severity, certainty, identity(process), title)
            .saw_all(signs)
            .saw(who(process))
            .pid(process.pid)
            .from(&row, "an ordinary process, as the kernel says");
        if let Some(program) = &process.program {
            draft = draft.saw(format!("its program is {program}")).path(program);
        }
        drafts.push(draft);
    }
}

/// Whether the arguments as a whole stand in brackets.
fn bracketed(process: &Process) -> bool {
    let opens =
        process.arguments.first().is_some_and(|first| first.as_bytes().trim_ascii_start().starts_with(b"["));
    let last = process.arguments.iter().rfind(|argument| !argument.is_empty());
    opens && last.is_some_and(|last| last.as_bytes().trim_ascii_end().ends_with(b"]"))
}

/// The part of a kernel thread's name that does not change: before the processor, device or pool.
fn stem(name: &[u8]) -> &[u8] {
    let end = name.iter().position(|b| matches!(b, b'/' | b':') || b.is_ascii_digit()).unwrap_or(name.len());
    name.get(..end).unwrap_or_default()
}

/// Whether the name is one of the kernel's, and not that of a packaged program itself.
fn poses(process: &Process, files: &Files<'_>, stems: &BTreeSet<&[u8]>) -> bool {
    let mut claims = vec![process.name.as_bytes()];
    claims.extend(
        process.arguments.first().map(|first| first.as_bytes()).filter(|first| !first.contains(&b' ')),
    );
    let claims = claims.into_iter().any(|claim| {
        // A path is no name, "kworker/u8:1" is none.
        !claim.starts_with(b"/") && stems.contains(stem(claim))
    });
    if !claims {
        return false;
    }
    let Some(program) = &process.program else { return true };
    let own = program.file_name();
    let owned = files.get(program).is_some_and(|file| file.package.is_some() || !file.packages_known);
    !(owned && own.get(..own.len().min(15)) == Some(process.name.as_bytes()))
}

/// Whether a process that has run for a while shows no arguments at all.
fn cleared(processes: &Processes<'_>, process: &Process) -> bool {
    let ended = matches!(process.state.as_str(), "Z" | "X");
    process.arguments.iter().all(|argument| argument.as_bytes().iter().all(|b| matches!(b, b' ' | 0)))
        && process.program.is_some()
        && !ended
        && processes.age(process) > 10
}

fn unowned(files: &Files<'_>, process: &Process) -> bool {
    let file = process.program.as_ref().and_then(|program| files.get(program));
    process.deleted || file.is_some_and(|file| file.packages_known && file.package.is_none())
}

#[cfg(test)]
mod tests {
    use calma_record::Severity;
    use calma_testkit::{Specimen, check, running};

    #[test]
    fn processes_that_pose_as_kernel_threads_are_found() {
        let mut host =
            Specimen::new(2, "kthreadd").kernel_thread().parent(0).on(running(&["/usr/bin/python3"]));
        host = Specimen::new(9, "zfs_reaper/3").kernel_thread().parent(2).on(host);
        let fakes = [
            Specimen::new(40, "x").arguments(&["[kworker/0:1]"]).program("/opt/x"),
            Specimen::new(41, "kworker/u9:1").arguments(&["python3", "a.py"]).program("/usr/bin/python3"),
            Specimen::new(42, "zfs_reaper").arguments(&["zfs_reaper"]).program("/usr/lib/z"),
            Specimen::new(43, "a").arguments(&["[nvme", "wq]", ""]).program("/opt/y"),
            Specimen::new(44, "ok").arguments(&["/x"]).program("/opt/z").parent(2),
        ];
        for fake in fakes {
            host = fake.on(host);
        }
        let seen = check(host.file("/opt/x", "\x7fELF").file("/opt/y", "\x7fELF").file("/opt/z", "\x7fELF"));
        let found = seen.alarms("fake-kernel-thread");
        assert_eq!(found.len(), 5, "{:?}", seen.findings);
    }

    #[test]
    fn kernel_threads_and_ordinary_names_are_not() {
        let mut host = Specimen::new(2, "kthreadd")
            .kernel_thread()
            .parent(0)
            .on(running(&["/usr/sbin/lockdd", "/usr/lib/systemd/systemd"]));
        host = Specimen::new(8, "lockdd").kernel_thread().parent(2).on(host);
        let ordinary = [
            Specimen::new(7, "kworker/0:1").kernel_thread().parent(2),
            Specimen::new(40, "(sd-pam)").program("/usr/lib/systemd/systemd"),
            Specimen::new(41, "lockdd").program("/usr/sbin/lockdd"),
            Specimen::new(42, "celery")
                .arguments(&["[celeryd: w1] -active- (x)"])
                .program("/usr/sbin/lockdd"),
        ];
        for process in ordinary {
            host = process.on(host);
        }
        assert!(check(host).by("fake-kernel-thread").is_empty());
    }

    #[test]
    fn wiped_arguments_weigh_more_where_no_package_owns_the_program() {
        let host = running(&["/usr/bin/a"]).file("/opt/b", "\x7fELF");
        let host = Specimen::new(40, "a").arguments(&[]).program("/usr/bin/a").on(host);
        let seen = check(Specimen::new(41, "b").arguments(&["", ""]).program("/opt/b").on(host));
        let severities: Vec<_> =
            seen.by("fake-kernel-thread").iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, [Severity::Medium, Severity::Low]);
    }
}
