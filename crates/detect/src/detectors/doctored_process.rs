//! Detector: a folder of /proc that does not show its process.

use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::ProcessMismatch};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "doctored-process",
        doc: "The folder of a process in /proc is empty or shows another process.",
        mechanisms: &[14],
        attack: &["T1564", "T1036"],
        why: "Programs that list processes read this folder, so they show another process, or none. Nothing ordinary does that.",
        innocent: "",
        next: "look what is mounted over the folder; do not trust lists of processes on this system",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    for row in tables.of::<ProcessMismatch>() {
        let (title, saw) = match (row.what.as_str(), row.shows) {
            ("foreign", Some(other)) => (
                format!("The folder of process {} shows process {other} instead", row.pid),
                format!("{} gives the numbers of process {other}", row.place),
            ),
            ("foreign", None) => (
                format!("The folder of process {} shows something made up", row.pid),
                format!("{} is not what the kernel writes", row.place),
            ),
            _ => (
                format!("Process {} runs, but its folder in /proc is empty", row.pid),
                format!("the process answers, and {} is not there", row.place),
            ),
        };
        let mut draft =
            Draft::new(Severity::High, Certainty::VeryLikely, format!("{} {}", row.pid, row.what), title)
                .saw(saw)
                .pid(row.pid)
                .path(&row.place)
                .from(&row, "the folder does not show its process");
        if let Some(other) = row.shows {
            draft = draft.pid(other);
        }
        drafts.push(draft);
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Specimen, check, running};

    #[test]
    fn foreign_made_up_and_empty_folders_are_found() {
        let other = Specimen::new(300, "nginx").on(running(&[]));
        let foreign =
            other.file("/proc/666/stat", "300 (nginx) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 5 1\n");
        let made_up = foreign.file("/proc/667/stat", "hello\n");
        let host = made_up
            .directory("/proc/668")
            .kernel_with(|kernel| kernel.processes.answering([1, 300, 666, 667, 668]));
        let found = check(host);
        let mut pids: Vec<_> =
            found.alarms("doctored-process").iter().map(|finding| finding.title.clone()).collect();
        pids.sort();
        assert_eq!(pids.len(), 3, "{pids:?}");
        assert!(
            pids[0].contains("668") && pids[1].contains("666 shows process 300") && pids[2].contains("667")
        );
    }

    #[test]
    fn a_process_that_ended_while_it_was_looked_at_is_nothing() {
        let host = running(&[]).directory("/proc/668").kernel_with(|kernel| kernel.processes.answering([1]));
        assert!(check(host).by("doctored-process").is_empty());
    }
}
