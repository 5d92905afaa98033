//! Detector: a backup or security program that does nothing any more, or looks away.

use crate::weigh::{self, Weight};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::kinds::{ScheduledJob, SystemSetting, Unit};
use calma_record::{Certainty, Severity, Text};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "protection-off",
        doc: "A backup, scanner or integrity checker was switched off, keeps nothing, or leaves out where intruders stay.",
        mechanisms: &[106, 107],
        attack: &["T1562.001", "T1490"],
        why: "Intruders make backups end before they destroy data, and scanners look away before they stay.",
        innocent: "you or a colleague switched it off, or something else does its work now",
        next: "find out when it was changed and by whom; until then do not rely on newer backups or scans",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let mut off: BTreeMap<&Text, Vec<Row<'_, SystemSetting>>> = BTreeMap::new();
    for row in tables.of::<SystemSetting>().filter(|row| row.area == "protection") {
        if row.name == "commented-out" && row.package.is_none() {
            off.entry(&row.fact.path).or_default().push(row);
        } else if !super::watcher_setting::tells(tables, &row) {
            drafts.extend(setting(&row));
        }
    }
    for (path, mut rows) in off {
        rows.sort_by_key(|row| row.line);
        match whole_timetable(tables, path, &rows) {
            Some(draft) => drafts.push(draft),
            None => drafts.extend(rows.iter().filter_map(setting)),
        }
    }
    for row in tables.of::<Unit>() {
        drafts.extend(unit(&row));
    }
}

/// A timetable of nothing but backups, of which every job is a comment.
fn whole_timetable(tables: &Tables, path: &Text, rows: &[Row<'_, SystemSetting>]) -> Option<Draft> {
    if tables.of::<ScheduledJob>().any(|job| job.fact.path == *path) {
        return None;
    }
    let jobs: Vec<_> = rows.iter().filter(|row| protects(row.value.as_bytes()).is_some()).collect();
    let kind = protects(path.file_name()).or_else(|| protects(jobs.first()?.value.as_bytes()))?;
    if jobs.len() < 2 && protects(path.file_name()).is_none() {
        return None;
    }
    let identity = [path.as_bytes(), b"\0commented-out"].concat();
    let title = format!("Every job of the timetable of the {kind} is switched off");
    let draft = Draft::new(Severity::Medium, Certainty::Possible, identity, title).path(path);
    let shown = rows.iter().take(4).map(|row| {
        format!("line {} stands there as a comment: {}", row.line, crate::entry::short(&row.value))
    });
    Some(draft.saw_all(shown).from(rows.first()?, "that it does not run"))
}

/// Words in names and commands of what makes backups or watches over a system.
fn protects(text: &[u8]) -> Option<&'static str> {
    const BACKUP: &[&str] = &[
        "backup",
        "borg",
        "restic",
        "rsnapshot",
        "duplicity",
        "duply",
        "bacula",
        "bareos",
        "kopia",
        "rdiff",
        "mysqldump",
        "pg_dump",
        "pgbackrest",
        "barman",
        "mariabackup",
        "xtrabackup",
        "wal-g",
        "snapper",
        "timeshift",
        "sanoid",
        "syncoid",
        "zfs-auto-snapshot",
        "urbackup",
        "amanda",
    ];
    const WATCH: &[&str] = &[
        "clamscan",
        "clamdscan",
        "freshclam",
        "clamav",
        "clamd",
        "aide",
        "rkhunter",
        "chkrootkit",
        "tripwire",
        "samhain",
        "ossec",
        "wazuh",
        "maldet",
        "lynis",
        "debsums",
        "falcon-sensor",
        "mdatp",
        "sentinelone",
        "sentinelctl",
        "osqueryd",
        "falco",
        "cbagent",
        "crowdsec",
        "imunify",
        "auditbeat",
        "sysmon",
    ];
    let lower = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| weigh::contains(&lower, word.as_bytes()));
    if has(BACKUP) { Some("backup") } else { has(WATCH).then_some("security program") }
}

fn setting(row: &Row<'_, SystemSetting>) -> Option<Draft> {
    let value = row.value.as_bytes();
    let shown = crate::entry::short(&row.value);
    let (weight, title) = match row.name.as_str()? {
        "commented-out" => {
            let kind = protects(value).filter(|_| row.package.is_none() || row.path == "/etc/crontab")?;
            let reason = format!("a job of the {kind} stands there as a comment: {shown}");
            (Weight::of(Severity::Low, reason), format!("A planned {kind} is switched off"))
        }
        "not-run" => {
            let kind = protects(value)?;
            // What a package brought to be run was made not to run by somebody.
            let severity = if row.package.is_some() { Severity::Low } else { Severity::Medium };
            let reason = "it may not be executed, or its name is none that cron's directories run".to_owned();
            (Weight::of(severity, reason), format!("A {kind} in cron's directories does not run"))
        }
        "ends-early" => {
            let kind = protects(row.path.file_name()).or_else(|| protects(value))?;
            let fact = format!("line {} of {} ends it, and what it is for stands behind", row.line, row.path);
            let identity = [row.path.as_bytes(), b"\0ends-early"].concat();
            let title = format!("The {kind} ends before it begins");
            let draft = Draft::new(Severity::Medium, Certainty::Possible, identity, title);
            return Some(draft.path(&row.path).saw(fact).from(row, "where it ends"));
        }
        "excludes" => {
            let backup = !matches!(row.whom.as_bytes(), b"AIDE" | b"ClamAV" | b"OSSEC or Wazuh");
            let severity = wide(value, backup)?;
            if row.package.is_some() && row.path.as_bytes().windows(7).any(|part| part == b".conf.d") {
                return None;
            }
            (
                Weight::of(severity, format!("it leaves out {shown}")),
                format!("{} leaves out where it matters most", row.whom),
            )
        }
        "allows" => {
            let odd = weigh::is_open(value) && !value.starts_with(b"/dev/")
                || value.starts_with(b"/dev/shm/")
                || (weigh::is_hidden(value)
                    && (weigh::is_below(value, b"/usr") || weigh::is_below(value, b"/root")));
            let severity = if odd { Severity::Medium } else { return None };
            (
                Weight::of(severity, format!("it is told that {shown} is harmless")),
                format!("{} is told to pass over something odd", row.whom),
            )
        }
        "keeps-none" => (
            Weight::of(Severity::Medium, format!("it keeps nothing: {shown}")),
            format!("Backups of {} are kept for nothing", row.whom),
        ),
        "nothing-included" => (
            Weight::of(Severity::Medium, format!("nothing is backed up: {shown}")),
            format!("Backups of {} hold nothing", row.whom),
        ),
        "switched-off" => {
            // A job among several may be off on purpose; a scanner's or checker's own part hardly is.
            let severity = if matches!(row.whom.as_bytes(), b"OSSEC or Wazuh" | b"rkhunter" | b"ClamAV") {
                Severity::Medium
            } else {
                Severity::Low
            };
            let checks = value.starts_with(b"Checks");
            let severity = if checks { Severity::Low } else { severity };
            (
                Weight::of(severity, format!("switched off: {shown}")),
                format!("A part of {} is switched off", row.whom),
            )
        }
        _ => return None,
    };
    let identity = [row.path.as_bytes(), b"\0", row.name.as_bytes(), b"\0", value].concat();
    if row.line > 0 {
        return weigh::draft(weight, &identity, title, &row.path, row.line, &row.value, row);
    }
    let severity = weight.severity?;
    let draft =
        Draft::new(severity, Certainty::Possible, identity, title).path(&row.path).saw_all(weight.reasons);
    Some(draft.from(row, "that it does not run"))
}

/// How bad it is to leave a path out: the system itself, or where intruders put things.
fn wide(path: &[u8], backup: bool) -> Option<Severity> {
    const SYSTEM: &[&[u8]] = &[
        b"/",
        b"/*",
        b"*",
        b"**",
        b".",
        b"/usr",
        b"/usr/bin",
        b"/usr/sbin",
        b"/usr/lib",
        b"/usr/local",
        b"/usr/local/bin",
        b"/usr/local/sbin",
        b"/bin",
        b"/sbin",
        b"/lib",
        b"/lib64",
        b"/etc",
        b"/boot",
        b"/root",
        b"/etc/cron.d",
        b"/etc/systemd",
        b"/etc/systemd/system",
        b"/etc/ssh",
        b"/etc/pam.d",
        b"/etc/init.d",
        b"/etc/ld.so.preload",
        b"/etc/passwd",
        b"/etc/shadow",
        b"/etc/sudoers",
        b"/etc/sudoers.d",
        b"/etc/profile.d",
        b"/lib/modules",
        b"/usr/lib/systemd",
        b"/var/spool/cron",
        b"/root/.ssh",
        b"/usr/lib/modules",
        b"/lib/systemd",
        b"/etc/crontab",
    ];
    const OPEN: &[&[u8]] =
        &[b"/tmp", b"/var/tmp", b"/dev/shm", b"/dev", b"/var/www", b"/home", b"/srv", b"/opt", b"/var"];
    if backup {
        // A backup need not hold the system; the data it must.
        return match path {
            b"/" | b"/*" | b"*" | b"**" | b"." => Some(Severity::Medium),
            b"/home" | b"/srv" | b"/var/www" | b"/var/lib" | b"/etc" | b"/var" => Some(Severity::Low),
            _ => None,
        };
    }
    if SYSTEM.contains(&path) || matches!(path, b"/tmp" | b"/var/tmp" | b"/dev/shm" | b"/var/www") {
        Some(Severity::Medium)
    } else {
        OPEN.contains(&path).then_some(Severity::Low)
    }
}

/// A unit of a backup or a security program that can not start, or that does nothing.
fn unit(row: &Row<'_, Unit>) -> Option<Draft> {
    let kind = protects(row.name.as_bytes())?;
    // The package manager's own copies of its lists are no backups of data.
    if weigh::contains(row.name.as_bytes(), b"dpkg-db-backup") {
        return None;
    }
    let draft = |severity, title: String, fact: String| {
        Draft::new(severity, Certainty::Possible, row.path.as_bytes(), title)
            .path(&row.path)
            .unit(&row.fact.name)
            .saw(fact)
            .from(row, "the unit")
    };
    if row.what == "mask" && kind == "backup" {
        let fact = format!("{} leads to /dev/null or is empty", row.path);
        return Some(draft(
            Severity::Medium,
            format!("The backup \"{}\" is switched off for good", row.name),
            fact,
        ));
    }
    let commands: Vec<&[u8]> = row
        .commands
        .iter()
        .map(Text::as_bytes)
        .filter_map(|command| command.strip_prefix(b"ExecStart="))
        .filter(|command| !command.is_empty())
        .collect();
    let nothing = !commands.is_empty() && commands.iter().all(|command| does_nothing(command));
    let own = row.package.is_none()
        && matches!(row.what.as_str(), "unit" | "drop-in")
        && weigh::is_below(row.path.as_bytes(), b"/etc");
    if nothing && own {
        let fact = format!("it runs {} and nothing else", crate::entry::short(&(*commands.first()?).into()));
        return Some(draft(
            Severity::Medium,
            format!("The {kind} \"{}\" was made to do nothing", row.name),
            fact,
        ));
    }
    None
}

fn does_nothing(command: &[u8]) -> bool {
    let at = command.iter().position(|b| !b"-@:+!|".contains(b)).unwrap_or(0);
    let command = command.get(at..).unwrap_or_default().trim_ascii();
    let first = command.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let name = first.rsplit(|b| *b == b'/').next().unwrap_or_default();
    matches!(name, b"true" | b":" | b"false" | b"sleep" | b"echo")
        || (matches!(name, b"sh" | b"bash" | b"dash")
            && [&b"exit 0"[..], b"'true'", b"\"true\"", b"-c true", b"-c :"].iter().any(|text| {
                command.ends_with(text.strip_suffix(b"'").unwrap_or(text)) || weigh::contains(command, text)
            }))
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn protections_that_look_away_are_found() {
        for (path, text) in [
            ("/etc/rsnapshot.conf", "retain\tdaily\t0\nretain\tweekly\t0\nbackup\t/etc/\tlocalhost/\n"),
            ("/etc/borgmatic/config.yaml", "source_directories:\n    - /home\nexclude_patterns:\n    - /\n"),
            ("/etc/rsnapshot.conf", "snapshot_root\t/srv/b/\nretain\talpha\t3\n#backup\t/etc/\tlocalhost/\n"),
            ("/etc/cron.d/backup", "# nightly\n#0 2 * * * root /usr/local/sbin/save-all\n"),
            ("/etc/cron.d/nightly", "#0 2 * * * root restic backup /srv\n#0 4 * * * root borg create x\n"),
            ("/usr/local/sbin/nightly", "#!/bin/bash\nexit 0\nmysqldump -A > /srv/x\n"),
            ("/etc/borgmatic.d/a.yaml", "source_directories: []\n"),
            ("/etc/restic/excludes", "# all\n/*\n"),
            ("/etc/aide/aide.conf", "/etc R\n!/usr/bin\n"),
            ("/etc/clamav/clamd.conf", "ExcludePath ^/tmp/\n"),
            (
                "/var/ossec/etc/ossec.conf",
                "<ossec_config>\n <syscheck>\n  <disabled>yes</disabled>\n </syscheck>\n</ossec_config>\n",
            ),
            ("/etc/rkhunter.conf.local", "ALLOWHIDDENDIR=/dev/shm/.x\n"),
            ("/etc/cron.daily/backup-db", "#!/bin/sh\npg_dumpall > /srv/b/x\n"),
            ("/etc/systemd/system/restic-backup.service", "[Service]\nExecStart=/bin/true\n"),
            (
                "/etc/systemd/system/clamav-daemon.service.d/o.conf",
                "[Service]\nExecStart=\nExecStart=/bin/sh -c 'exit 0'\n",
            ),
        ] {
            let seen = check(Mem::new().file(path, text));
            let found = [seen.alarms("protection-off"), seen.alarms("watcher-setting")].concat();
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
        let timer = "/etc/systemd/system/borg.timer";
        assert_eq!(check(Mem::new().symlink(timer, "/dev/null")).alarms("protection-off").len(), 1);
    }

    #[test]
    fn ordinary_protections_are_silent() {
        let seen = check(
            Mem::new()
                .file("/etc/rsnapshot.conf", "retain\tdaily\t7\nbackup\t/etc/\tlocalhost/\nexclude\t/proc\n")
                .file("/etc/borgmatic/config.yaml", "source_directories:\n    - /home\nexclude_patterns:\n    - '*.pyc'\n    - /home/*/.cache\nkeep_daily: 7\nkeep_hourly: 0\n")
                .file("/etc/aide/aide.conf", "!/var/log/.*\n!/run\n")
                .file("/etc/clamav/clamd.conf", "ExcludePath ^/proc/\nExcludePath ^/sys/\nScanELF true\n")
                .file("/var/ossec/etc/ossec.conf", "<syscheck>\n<disabled>no</disabled>\n<ignore>/etc/mtab</ignore>\n</syscheck>\n")
                .file("/etc/crontab", "# m h dom mon dow user command\n#0 4 * * * root /usr/local/bin/report\n")
                .file("/etc/systemd/system/restic-backup.service", "[Service]\nExecStart=/usr/bin/restic backup /home\n"),
        );
        assert!(seen.by("protection-off").is_empty(), "{:#?}", seen.findings);
    }

    #[test]
    fn a_job_as_a_comment_is_low() {
        let seen = check(Mem::new().file("/etc/cron.d/own", "#15 3 * * * root /usr/local/bin/backup.sh\n"));
        assert_eq!(seen.by("protection-off").len(), 1);
        assert!(seen.alarms("protection-off").is_empty());
    }
}
