//! Detector: a process that the listing of /proc leaves out.

use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::HiddenProcess};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "hidden-process",
        doc: "A process answers although the listing of /proc leaves it out.",
        mechanisms: &[15],
        attack: &["T1564", "T1014"],
        why: "Programs that list processes do not show it. Only code in the kernel, or something mounted over /proc, can do that, so this kernel's answers can not be trusted.",
        innocent: "",
        next: "do not trust what this system says of itself; cut it off and look at its disk from a live distribution with --root",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    for hidden in tables.of::<HiddenProcess>() {
        let name = if hidden.name.is_empty() { String::new() } else { format!(" (\"{}\")", hidden.name) };
        let title = format!("Process {}{name} is hidden from the list of processes", hidden.pid);
        let identity = format!("{} {}", hidden.pid, hidden.start_ticks.unwrap_or(0));
        let mut draft = Draft::new(Severity::Critical, Certainty::VeryLikely, identity, title)
            .saw(format!(
                "it is seen by {}, {} times over, while the listing of /proc leaves it out",
                hidden.seen.join(", "),
                hidden.rechecks
            ))
            .pid(hidden.pid)
            .from(&hidden, "seen by some views, missing in others");
        if !hidden.denied.is_empty() {
            draft = draft.saw(format!("it is denied by {} too", hidden.denied.join(", ")));
        }
        if let Some(program) = &hidden.program {
            draft = draft.saw(format!("its program is {program}")).path(program);
        }
        if !hidden.cgroup.is_empty() {
            draft = draft.saw(format!("it belongs to the control group {}", hidden.cgroup));
        }
        drafts.push(draft);
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, Specimen, check, running};

    fn asked(host: Mem, pids: &[u32]) -> Mem {
        host.file("/proc/sys/kernel/pid_max", "32768\n")
            .kernel_with(|kernel| kernel.processes.answering(pids.iter().copied()))
    }

    #[test]
    fn a_process_that_answers_and_is_not_listed_is_found_by_any_view() {
        let seen = check(asked(running(&[]), &[1, 2, 4711]));
        let found = seen.alarms("hidden-process");
        // Process 2 is calma itself on this host, and is not listed either.
        assert_eq!(found.len(), 2, "{:?}", seen.findings);
        assert!(found.iter().any(|finding| finding.title.contains("4711")));
    }

    #[test]
    fn a_parent_and_a_member_of_a_control_group_that_are_not_listed_are_found() {
        let host = Specimen::new(50, "child")
            .parent(49)
            .on(running(&[]))
            .file("/proc/self/mountinfo", "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
            .file("/sys/fs/cgroup/a.slice/cgroup.procs", "1\n77\n")
            .file("/sys/fs/cgroup/cgroup.procs", "50\n");
        let seen = check(asked(host, &[1, 50]));
        let found: Vec<_> =
            seen.alarms("hidden-process").iter().map(|finding| finding.title.clone()).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found.iter().any(|title| title.contains("49")) && found.iter().any(|title| title.contains("77"))
        );
    }

    #[test]
    fn threads_listed_processes_and_hosts_without_the_calls_are_not() {
        let host = Specimen::new(50, "threads").on(running(&[])).directory("/proc/50/task/51");
        assert!(check(asked(host, &[1, 50, 51])).by("hidden-process").is_empty());
        let seen = check(running(&[]));
        assert!(seen.by("hidden-process").is_empty());
        assert!(seen.gaps.iter().any(|gap| gap.what.contains("hidden processes")), "{:?}", seen.gaps);
    }
}
