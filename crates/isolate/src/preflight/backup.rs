//! A backup that runs at this moment.

use super::{Concern, Sight, Weight};

/// Programs that run only while a backup is made.
const AT_WORK: &[&str] = &[
    "restic",
    "borg",
    "borgmatic",
    "rustic",
    "duplicity",
    "rclone",
    "rsnapshot",
    "rdiff-backup",
    "kopia",
    "pgbackrest",
    "xtrabackup",
    "mariabackup",
    "pg_basebackup",
    "vzdump",
    "proxmox-backup-client",
];

pub(super) fn check(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    let to_elsewhere = |words: &[calma_record::Text]| {
        // HOST:PATH or rsync://HOST; a path of this machine begins with a slash.
        words.iter().any(|word| {
            let bytes = word.as_bytes();
            let head = bytes.split(|byte| *byte == b':').next().unwrap_or_default();
            !bytes.starts_with(b"-") && head.len() < bytes.len() && !head.is_empty() && !head.contains(&b'/')
        })
    };
    let found = sight
        .running
        .iter()
        .find(|process| process.is(AT_WORK) || (process.is(&["rsync"]) && to_elsewhere(&process.arguments)));
    if let Some(process) = found {
        concerns.push(Concern::new(
            Weight::Breaks,
            format!("a backup seems to run ({})", process.name),
            format!("pid {}", process.pid),
            "it is cut off in the middle; the next one may remove older copies although this one is not whole, and what it copies \
             now comes from a compromised host",
            "on the backup server: keep every older copy (stop pruning), and mark this one as not to be trusted",
        ));
    }
}

#[cfg(test)]
mod tests {
    use crate::preflight::tests::{process, table};
    use calma_host::Mem;

    #[test]
    fn a_backup_at_work_is_known() {
        let run = |program: &str, arguments: &[&str]| process(Mem::running(), 4, program, arguments);
        table(vec![
            (run("/usr/bin/restic", &["backup", "/"]), &["a backup seems to run (restic)"]),
            (run("/usr/bin/python3", &["/usr/bin/borg", "create"]), &["stop pruning"]),
            (run("/usr/bin/rsync", &["-a", "/srv/", "backup@192.0.2.7:/srv/"]), &["rsync"]),
            (run("/usr/bin/rsync", &["-a", "--chown=a:b", "/srv/", "/mnt/a:b/"]), &[]),
            (run("/usr/sbin/cron", &["-f"]), &[]),
        ]);
    }
}
