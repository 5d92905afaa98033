//! Detector: a program that watches the system is switched off, or told to pass over something odd.

use crate::reach::{self, Reach};
use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Tables, entry};
use calma_record::{Severity, Text, kinds::SystemSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "watcher-setting",
        doc: "A program that watches the system (auditd, fail2ban, rkhunter, AIDE, ClamAV, updates) is switched off, or told to pass over something odd.",
        mechanisms: &[81, 106],
        attack: &["T1562.001"],
        why: "What it would have told is not told.",
        innocent: "you switched it off, or allowed this, on purpose",
        next: "find out when the setting was made: the time tells what it was to hide; look at what it passes over",
    },
    judge,
};

/// Units that record, protect or update; packages switch them on.
const WATCHERS: &[&str] = &[
    "auditd.service",
    "rsyslog.service",
    "syslog-ng.service",
    "apparmor.service",
    "fail2ban.service",
    "crowdsec.service",
    "clamav-daemon.service",
    "clamav-freshclam.service",
    "falco.service",
    "wazuh-agent.service",
    "osqueryd.service",
    "suricata.service",
    "nftables.service",
    "ufw.service",
    "unattended-upgrades.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "aide.timer",
    "dailyaidecheck.timer",
    "debsums.timer",
    "sysstat.service",
    "acct.service",
    "samhain.service",
    "tripwire.timer",
    "logrotate.timer",
];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<SystemSetting>() {
        let (weight, title) = match row.area.as_str() {
            "switched off" if WATCHERS.iter().any(|name| row.name == *name) => {
                let unit = row.name.as_str().unwrap_or_default();
                let severity = if unit.ends_with(".timer")
                    || unit.starts_with("sysstat")
                    || unit.starts_with("acct")
                    || unit.starts_with("unattended")
                    || unit.starts_with("nftables")
                    || unit.starts_with("ufw")
                {
                    Severity::Low
                } else {
                    Severity::Medium
                };
                let reason =
                    format!("its package switched {} on, and somebody took {} away", row.name, row.value);
                let weight = Weight { paths: vec![row.value.clone()], ..Weight::of(severity, reason) };
                (weight, format!("\"{}\" no longer starts by itself", row.name))
            }
            "watcher setting" => (
                passes_over(&files, &row),
                "A program that watches the system passes over something".to_owned(),
            ),
            _ => continue,
        };
        if row.package.is_some() && weight.severity < Some(Severity::High) {
            continue;
        }
        let identity =
            [row.path.as_bytes(), b"\0", row.name.as_bytes(), b"\0", row.value.as_bytes()].concat();
        let written = format!("{} {}", row.name, entry::short(&row.value)).into();
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line.max(1), &written, &row));
    }
}

/// Whether this detector says something of the same line of the same file, medium or worse.
pub(super) fn tells(tables: &Tables, other: &SystemSetting) -> bool {
    let files = Files::new(tables);
    tables.of::<SystemSetting>().any(|row| {
        row.area == "watcher setting"
            && row.line == other.line
            && row.path == other.path
            && row.package.is_none()
            && passes_over(&files, &row).severity >= Some(Severity::Medium)
    })
}

/// A directory or file that an intruder would want left out, and nobody else.
fn odd(path: &[u8]) -> bool {
    // What rkhunter's own comments and packages name.
    let known: [&[u8]; 12] = [
        b"/etc/.java",
        b"/etc/.git",
        b"/etc/.hg",
        b"/etc/.bzr",
        b"/etc/.etckeeper",
        b"/etc/.gitignore",
        b"/etc/.pwd.lock",
        b"/etc/.updated",
        b"/dev/.udev",
        b"/dev/.mdadm",
        b"/dev/.static",
        b"/dev/.initramfs",
    ];
    let shared = path.starts_with(b"/dev/shm/")
        && (weigh::contains(path, b"pulse")
            || weigh::contains(path, b"sem.")
            || weigh::contains(path, b"PostgreSQL")
            || weigh::contains(path, b"lttng"));
    !known.iter().any(|place| weigh::is_below(path, place)) && !shared
}

fn passes_over(files: &Files<'_>, row: &SystemSetting) -> Weight {
    let value = row.value.as_bytes();
    let name = row.name.as_str().unwrap_or_default();
    let path = value.split(|b| matches!(b, b' ' | b':')).next().unwrap_or_default();
    match name {
        "ALLOWHIDDENDIR" | "ALLOWHIDDENFILE" | "ALLOWDEVFILE" if odd(path) => {
            let open = weigh::is_open(path) && !path.starts_with(b"/dev/") || path.starts_with(b"/dev/shm/.");
            let severity = if open
                || weigh::is_packaged_place(path)
                || weigh::is_below(path, b"/usr")
                || weigh::is_below(path, b"/var")
            {
                Severity::Medium
            } else {
                Severity::Low
            };
            passed(path, severity)
        }
        "RTKT_FILE_WHITELIST"
        | "RTKT_DIR_WHITELIST"
        | "SHARED_LIB_WHITELIST"
        | "ALLOWPROCDELFILE"
        | "SCRIPTWHITELIST"
        | "PORT_PATH_WHITELIST"
        | "EXCLUDE_USER_FILEPROP_FILES_DIRS"
        | "ALLOWPROCLISTEN"
            if path.starts_with(b"/") =>
        {
            let file = files.get(&Text::from(path));
            let packaged = file.is_some_and(|file| file.package.is_some());
            let unknown = file.is_none_or(|file| file.what == "missing" || !file.packages_known);
            let strange = weigh::is_open(path) || entry::is_hidden(path);
            if strange
                || (!packaged && !unknown && weigh::is_packaged_place(path))
                || (name.starts_with("RTKT") && !packaged)
            {
                passed(path, Severity::Medium)
            } else {
                Weight::default()
            }
        }
        "!" => {
            let end = path
                .iter()
                .position(|b| matches!(b, b'(' | b'[' | b'*' | b'$' | b'\\' | b'?'))
                .unwrap_or(path.len());
            let begins = path.get(..end).unwrap_or_default();
            let begins = begins.strip_suffix(b"/").unwrap_or(begins);
            let system: [&[u8]; 14] = [
                b"",
                b"/etc",
                b"/usr",
                b"/usr/bin",
                b"/usr/sbin",
                b"/usr/lib",
                b"/usr/local",
                b"/bin",
                b"/sbin",
                b"/lib",
                b"/root",
                b"/boot",
                b"/opt",
                b"/etc/systemd",
            ];
            let trusted: [&[u8]; 7] = [
                b"/etc/systemd/system",
                b"/etc/cron",
                b"/etc/ssh",
                b"/etc/pam",
                b"/etc/ld.so",
                b"/etc/sudoers",
                b"/etc/init.d",
            ];
            let whole = begins.len() == path.len()
                || path.get(end..).is_some_and(|rest| matches!(rest, b"$" | b".*" | b"/.*" | b"*"));
            if (system.contains(&begins) && whole && path.starts_with(b"/"))
                || trusted.iter().any(|place| begins.starts_with(place))
                || weigh::is_packaged_place(begins)
                || (entry::is_hidden(begins) && odd(begins))
            {
                passed(path, Severity::Medium)
            } else {
                Weight::default()
            }
        }
        "ExcludePath" => {
            let place = path.strip_prefix(b"^").unwrap_or(path);
            let place = place.strip_suffix(b"/").unwrap_or(place);
            let kernel =
                [&b"/proc"[..], b"/sys", b"/dev", b"/run"].iter().any(|known| weigh::is_below(place, known))
                    && !weigh::is_below(place, b"/dev/shm");
            if kernel {
                Weight::default()
            } else if weigh::is_open(&[place, b"/x"].concat())
                || entry::is_hidden(place)
                || weigh::is_packaged_place(place)
            {
                passed(place, Severity::Medium)
            } else {
                Weight::default()
            }
        }
        "ignoreip" => {
            let mut weight = Weight::default();
            for word in value.split(|b| matches!(b, b' ' | b',')).filter(|word| !word.is_empty()) {
                let host = word.split(|b| *b == b'/').next().unwrap_or_default();
                let wide = word.ends_with(b"/0") || word.ends_with(b"/1") || word.ends_with(b"/2");
                if wide {
                    weight = weight.and(Weight::of(Severity::Medium, "it never bans anybody"));
                } else if reach::of(host) == Reach::Public {
                    weight =
                        weight.and(Weight::of(Severity::Info, format!("it never bans {}", Text::from(word))));
                }
            }
            weight
        }
        "SELINUX" if value == b"disabled" => Weight::of(Severity::Info, "SELinux is switched off"),
        _ => Weight::default(),
    }
}

fn passed(path: &[u8], severity: Severity) -> Weight {
    let path = Text::from(path);
    Weight { paths: vec![path.clone()], ..Weight::of(severity, format!("it passes over {path}")) }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn watchers_that_look_away_are_found() {
        for (path, text) in [
            ("/etc/rkhunter.conf", "ALLOWHIDDENDIR=/usr/share/.x\n"),
            ("/etc/rkhunter.conf.local", "ALLOWHIDDENFILE=/dev/shm/.k\n"),
            ("/etc/rkhunter.conf", "RTKT_FILE_WHITELIST=/usr/bin/sshd-x\n"),
            ("/etc/aide/aide.conf", "!/usr/sbin\n"),
            ("/etc/aide/aide.conf.d/99_x", "!/etc/cron.d/.*\n"),
            ("/etc/clamav/clamd.conf", "ExcludePath ^/dev/shm/\n"),
            ("/etc/fail2ban/jail.local", "[DEFAULT]\nignoreip = 127.0.0.1/8 0.0.0.0/0\n"),
        ] {
            let seen = check(Mem::new().file(path, text));
            let found = seen.alarms("watcher-setting");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.by("watcher-setting"));
        }
        let off = |name: &str| {
            Mem::new()
                .file(
                    format!("/var/lib/systemd/deb-systemd-helper-enabled/multi-user.target.wants/{name}"),
                    "",
                )
                .file(format!("/usr/lib/systemd/system/{name}"), "[Service]\nExecStart=/usr/sbin/x\n")
        };
        for name in ["auditd.service", "fail2ban.service", "rsyslog.service"] {
            assert_eq!(check(off(name)).alarms("watcher-setting").len(), 1, "{name}");
        }
        let on = off("auditd.service").symlink(
            "/etc/systemd/system/multi-user.target.wants/auditd.service",
            "/usr/lib/systemd/system/auditd.service",
        );
        assert!(check(on).by("watcher-setting").is_empty());
        assert!(check(off("bluetooth.service")).by("watcher-setting").is_empty());
    }

    #[test]
    fn ordinary_exceptions_are_quiet() {
        let seen = check(
            Mem::new()
                .file("/etc/rkhunter.conf", "ALLOWHIDDENDIR=/etc/.java\nALLOWHIDDENDIR=/etc/.git\n#ALLOWHIDDENDIR=/tmp/x\nALLOWDEVFILE=/dev/shm/pulse-shm-*\nSCRIPTWHITELIST=/usr/bin/egrep\n")
                .file("/etc/aide/aide.conf", "!/var/log/.*\n!/home\n!/var/lib/docker\n")
                .file("/etc/clamav/clamd.conf", "ExcludePath ^/proc/\nExcludePath ^/var/lib/backup/\n")
                .file("/etc/fail2ban/jail.local", "[DEFAULT]\nignoreip = 127.0.0.1/8 ::1 203.0.113.7\n[sshd]\nenabled = true\n"),
        );
        assert!(seen.alarms("watcher-setting").is_empty(), "{:#?}", seen.by("watcher-setting"));
    }
}
