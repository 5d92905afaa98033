//! Detector: something that runs by itself destroys backups or snapshots.

use crate::weigh::{self, Files};
use crate::{Card, Detector, Draft, Tables, entry};
use calma_record::{
    Certainty, Severity, Text,
    kinds::{ScheduledJob, Unit},
};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "backup-destroyed",
        doc: "A job or unit removes backups or snapshots as a whole, by itself.",
        mechanisms: &[107],
        attack: &["T1490", "T1485"],
        why: "Who takes a server hostage first sees to it that nothing can be brought back.",
        innocent: "you make room before the next backup is made",
        next: "switch it off at once if it is not yours, and copy what backups are left to another machine",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    // What the command says, and the script that it runs.
    let reason = |command: &Text| {
        destroys(command.as_bytes()).or_else(|| {
            let words =
                command.as_bytes().split(|b| b" \t;&|\"'".contains(b)).filter(|word| word.starts_with(b"/"));
            words.take(16).find_map(|word| {
                let file = files.get(&word.into())?;
                let text = file.text.as_ref().filter(|text| text.as_bytes().starts_with(b"#!"))?;
                destroys(text.as_bytes())
            })
        })
    };
    let draft = |path: &Text, command: &Text, reason: &str| {
        let identity = [path.as_bytes(), b"\0", command.as_bytes()].concat();
        Draft::new(
            Severity::Medium,
            Certainty::Possible,
            identity,
            "Backups or snapshots are destroyed by itself",
        )
        .path(path)
        .saw(format!("{path} runs: {}", entry::short(command)))
        .saw(reason)
    };
    for job in tables.of::<ScheduledJob>().filter(|job| job.package.is_none()) {
        if let Some(reason) = reason(&job.command) {
            drafts.push(draft(&job.path, &job.command, reason).from(&job, "the command"));
        }
    }
    for unit in tables.of::<Unit>().filter(|unit| unit.package.is_none()) {
        for line in &unit.fact.commands {
            let command = Text::from(line.as_bytes().splitn(2, |b| *b == b'=').nth(1).unwrap_or_default());
            if let Some(reason) = reason(&command) {
                drafts.push(draft(&unit.path, line, reason).unit(&unit.name).from(&unit, "the command"));
            }
        }
    }
}

/// Whether a path is a place of backups as a whole: the directory, or everything in it.
fn is_store(word: &[u8]) -> bool {
    let path =
        word.strip_suffix(b"/*").or(word.strip_suffix(b"/.")).or(word.strip_suffix(b"/")).unwrap_or(word);
    let path = path.strip_suffix(b"/*").unwrap_or(path);
    if !path.starts_with(b"/") || path.contains(&b'$') || path.contains(&b'`') {
        return false;
    }
    let last = path.rsplit(|b| *b == b'/').next().unwrap_or_default().to_ascii_lowercase();
    const NAMES: &[&[u8]] = &[
        b"backup",
        b"backups",
        b".snapshots",
        b"snapshots",
        b"snapshot",
        b"borg",
        b"restic",
        b"rsnapshot",
        b"bacula",
        b"bareos",
        b"duplicity",
        b"pgbackrest",
        b"barman",
        b"timeshift",
        b"urbackup",
        b".zfs",
        b"amanda",
        b"dumps",
    ];
    NAMES.contains(&last.as_slice())
        || [&b"backup"[..], b"borg", b"restic", b"rsnapshot", b"snapshots"]
            .iter()
            .any(|name| last.starts_with(name) || last.ends_with(name))
}

/// What a text destroys.
fn destroys(text: &[u8]) -> Option<&'static str> {
    let has = |part: &[u8]| weigh::contains(text, part);
    // Keeping some, by age, number or name, is what housekeeping does; so is removing a snapshot that was made before.
    let chooses = [
        &b"-mtime"[..],
        b"-ctime",
        b"-mmin",
        b"-atime",
        b"-newer",
        b"head -n",
        b"tail -n",
        b"head -",
        b"tail -",
        b"grep",
    ]
    .iter()
    .any(|part| has(part));
    let makes = [&b"zfs snapshot"[..], b"lvcreate", b"subvolume snapshot", b"snapper create", b"zfs snap "]
        .iter()
        .any(|part| has(part));
    for part in text.split(|b| b"\n;&|(){}`".contains(b)) {
        let words: Vec<&[u8]> =
            part.split(|b| b" \t\"'".contains(b)).filter(|word| !word.is_empty()).collect();
        let name = |word: &[u8]| word.rsplit(|b| *b == b'/').next().unwrap_or_default().to_vec();
        let Some(at) = words.iter().take(24).position(|word| {
            matches!(
                name(word).as_slice(),
                b"rm"
                    | b"shred"
                    | b"find"
                    | b"zfs"
                    | b"lvremove"
                    | b"btrfs"
                    | b"restic"
                    | b"borg"
                    | b"snapper"
                    | b"kopia"
                    | b"timeshift"
                    | b"rclone"
                    | b"wipefs"
                    | b"truncate"
                    | b"srm"
                    | b"mc"
                    | b"aws"
                    | b"virsh"
                    | b"qm"
                    | b"zpool"
            )
        }) else {
            continue;
        };
        let program = words.get(at).map(|word| name(word)).unwrap_or_default();
        let rest = words.get(at + 1..).unwrap_or_default();
        let says = |word: &[u8]| rest.contains(&word);
        let store = rest.iter().any(|word| is_store(word));
        let recursive = rest.iter().any(|word| {
            *word == b"--recursive"
                || (word.starts_with(b"-")
                    && !word.starts_with(b"--")
                    && word.iter().any(|b| matches!(b, b'r' | b'R')))
        }) || rest.iter().any(|word| word.ends_with(b"/*"));
        let found = match program.as_slice() {
            b"rm" if store && recursive => Some("it removes a place of backups as a whole"),
            b"shred" | b"srm" | b"truncate"
                if store || rest.iter().any(|word| weigh::contains(word, b"backup")) =>
            {
                Some("it destroys backups")
            }
            b"find" if store && !chooses && !says(b"-name") && !says(b"-empty") => {
                (says(b"-delete") || says(b"rm") || says(b"/bin/rm") || says(b"shred"))
                    .then_some("it removes everything in a place of backups")
            }
            b"zfs" if says(b"destroy") && !chooses && !makes => Some("it destroys snapshots or volumes"),
            b"zpool" if says(b"destroy") => Some("it destroys snapshots or volumes"),
            b"lvremove" if !chooses && !makes => Some("it destroys snapshots or volumes"),
            b"btrfs" if (says(b"delete") || says(b"del")) && says(b"subvolume") && !chooses && !makes => {
                Some("it destroys snapshots or volumes")
            }
            b"snapper" | b"timeshift"
                if (says(b"delete") || says(b"--delete-all") || says(b"rm") || says(b"remove"))
                    && !chooses
                    && !makes =>
            {
                Some("it destroys snapshots")
            }
            b"restic" if says(b"forget") => {
                let none =
                    rest.windows(2).any(|pair| matches!(pair, [name, b"0"] if name.starts_with(b"--keep")))
                        || rest.iter().any(|word| word.starts_with(b"--keep") && word.ends_with(b"=0"));
                let keeps = rest.iter().any(|word| word.starts_with(b"--keep"));
                (none || says(b"--unsafe-allow-remove-all") || (!keeps && has(b"restic snapshots")))
                    .then_some("it forgets every backup")
            }
            b"borg" if says(b"delete") && !chooses => Some("it deletes backups"),
            b"kopia" if says(b"delete") && !chooses => Some("it deletes backups"),
            b"rclone"
                if (says(b"purge") || says(b"delete"))
                    && weigh::contains(part, b"backup")
                    && !has(b"--min-age") =>
            {
                Some("it deletes backups elsewhere")
            }
            b"virsh" if says(b"snapshot-delete") && !chooses && !makes => Some("it destroys snapshots"),
            b"qm" if says(b"delsnapshot") && !chooses => Some("it destroys snapshots"),
            b"aws" | b"mc" if says(b"rm") && recursive && weigh::contains(part, b"backup") => {
                Some("it deletes backups elsewhere")
            }
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::destroys;
    use calma_testkit::{Mem, check};

    #[test]
    fn what_destroys_backups_is_found() {
        for command in [
            "rm -rf /var/backups/* /srv/x",
            "/bin/rm -fr /srv/backup",
            "find /var/backups -type f -delete",
            "zfs list -H -o name -t snapshot | xargs -n1 zfs destroy -r",
            "lvremove -f vg0/snap1",
            "restic -r /srv/b forget --keep-last 0 --prune",
            "btrfs subvolume delete /.snapshots/*",
            "borg delete --force /srv/b",
            "sh -c 'for s in $(btrfs subvolume list / | awk x); do btrfs subvolume delete $s; done'",
            "shred -u /var/backups/db.gz",
        ] {
            let seen = check(Mem::new().file("/etc/cron.d/x", format!("1 2 * * * root {command}\n")));
            assert_eq!(seen.alarms("backup-destroyed").len(), 1, "{command}: {:#?}", seen.findings);
        }
        let seen = check(
            Mem::new()
                .file("/usr/local/sbin/c", "#!/bin/sh\nrm -rf /var/backups\n")
                .owned("/usr/local/sbin/c", 0o755, 0, 0)
                .file("/etc/systemd/system/c.service", "[Service]\nExecStart=/usr/local/sbin/c\n"),
        );
        assert_eq!(seen.alarms("backup-destroyed").len(), 1, "{:#?}", seen.findings);
    }

    #[test]
    fn housekeeping_is_quiet() {
        for command in [
            "find /var/backups -name '*.gz' -mtime +30 -delete",
            "rm -rf /srv/backup/$(date -d '7 days ago' +%F)",
            "rm -f /var/backups/db.sql",
            "restic forget --keep-daily 7 --prune",
            "zfs snapshot p@a && zfs send p@a | ssh b zfs recv x; zfs destroy p@a",
            "lvcreate -s -n s vg/r && tar c /mnt; lvremove -f vg/s",
            "rm -rf /tmp/cache/*",
            "borg prune --keep-daily 7 /srv/b",
            "ls -t /srv/backup/* | tail -n +8 | xargs rm -f",
        ] {
            assert_eq!(destroys(command.as_bytes()), None, "{command}");
        }
    }
}
