//! Detector: what happens on the server is not recorded, or thrown away.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::{Severity, Text, kinds::SystemSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "log-suppression",
        doc: "The journal, a logger, the audit system, a log file or a shell's history is set so that what happens is not recorded or soon gone.",
        mechanisms: &[81],
        attack: &["T1562.001", "T1070.002", "T1070.003"],
        why: "Without it nobody can see afterwards who came and what was done.",
        innocent: "you keep no logs on purpose, or send them to another machine",
        next: "look for the same events elsewhere (another machine, the journal, backups); note when the setting was made",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let rows: Vec<Row<'_, SystemSetting>> = tables.of::<SystemSetting>().collect();
    for row in &rows {
        let (weight, title) = match row.area.as_str() {
            "journal" => (journal(row), "The journal keeps nothing, or hardly anything"),
            "discarded messages" => (discard(&row.value), "Messages of logins or programs are thrown away"),
            "audit rule" => (audit(&files, row), "The audit system leaves something out"),
            "log rotation" => (rotation(row), "Logs of who came are thrown away when they are rotated"),
            "log file" => (log(row), "A log leads nowhere"),
            "shell history" => (history(row), "A shell's history leads nowhere"),
            _ => continue,
        };
        if row.package.is_some() && weight.severity < Some(Severity::High) {
            continue;
        }
        let identity =
            [row.path.as_bytes(), b"\0", row.name.as_bytes(), b"\0", row.value.as_bytes()].concat();
        let written = format!("{} {}", row.name, entry::short(&row.value)).into();
        let draft =
            weigh::draft(weight, &identity, title.to_owned(), &row.path, row.line.max(1), &written, row);
        drafts.extend(draft.map(|draft| if row.whom.is_empty() { draft } else { draft.account(&row.whom) }));
    }
}

/// Settings of journald.conf(5).
fn journal(row: &SystemSetting) -> Weight {
    let value = row.value.as_bytes();
    let name = row.name.as_str().unwrap_or_default();
    match name {
        "Storage" if value.eq_ignore_ascii_case(b"none") => {
            Weight::of(Severity::Medium, "the journal keeps nothing at all")
        }
        "SystemMaxUse" | "RuntimeMaxUse" | "SystemMaxFileSize" | "RuntimeMaxFileSize"
            if bytes(value).is_some_and(|size| size < 2 << 20) =>
        {
            Weight::of(
                Severity::Medium,
                format!("the journal may take only {}, which is full within minutes", row.value),
            )
        }
        "MaxRetentionSec" if seconds(value).is_some_and(|time| time > 0 && time < 24 * 3600) => {
            Weight::of(Severity::Medium, format!("the journal is thrown away after {}", row.value))
        }
        "MaxLevelStore" | "MaxLevelSyslog"
            if matches!(
                value.to_ascii_lowercase().as_slice(),
                b"emerg" | b"alert" | b"crit" | b"0" | b"1" | b"2"
            ) =>
        {
            if name == "MaxLevelStore" {
                Weight::of(Severity::Medium, "the journal keeps only emergencies, and no logins")
            } else {
                Weight::of(Severity::Low, "only emergencies are passed on")
            }
        }
        "RateLimitBurst"
            if value.first().is_some_and(u8::is_ascii_digit)
                && number(value).is_some_and(|most| most > 0 && most < 10) =>
        {
            Weight::of(Severity::Low, "a service may write hardly anything to the journal")
        }
        _ => Weight::default(),
    }
}

fn number(value: &[u8]) -> Option<u64> {
    let digits: Vec<u8> = value.iter().copied().take_while(u8::is_ascii_digit).collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

/// A size with its unit (systemd.syntax(7)).
fn bytes(value: &[u8]) -> Option<u64> {
    let unit = value.iter().find(|b| b.is_ascii_alphabetic()).copied().unwrap_or(b'B').to_ascii_uppercase();
    let factor = match unit {
        b'K' => 1 << 10,
        b'M' => 1 << 20,
        b'G' => 1 << 30,
        b'T' => 1 << 40,
        _ => 1,
    };
    number(value).map(|number| number.saturating_mul(factor))
}

/// A time with its unit (systemd.time(7)).
fn seconds(value: &[u8]) -> Option<u64> {
    let unit: Vec<u8> = value.iter().copied().filter(u8::is_ascii_alphabetic).collect();
    let factor = match unit.as_slice() {
        b"min" | b"m" | b"minute" | b"minutes" => 60,
        b"h" | b"hr" | b"hour" | b"hours" => 3600,
        b"d" | b"day" | b"days" => 86_400,
        b"week" | b"weeks" | b"w" => 604_800,
        b"month" | b"months" | b"M" => 2_629_800,
        b"year" | b"years" | b"y" => 31_557_600,
        _ => 1,
    };
    number(value).map(|number| number.saturating_mul(factor))
}

/// What a logger throws away.
fn discard(which: &Text) -> Weight {
    let text = String::from_utf8_lossy(which.as_bytes()).to_ascii_lowercase();
    // Noise that administrators filter: cron's own sessions, and programs that chatter.
    if text.contains("cron") && !text.contains("sshd") && !text.contains("sudo") {
        return Weight::of(Severity::Info, "messages of cron are thrown away");
    }
    let everything = text.trim_start().starts_with("*.*");
    let programs = [
        "sshd",
        "sudo",
        "\"su\"",
        "'su'",
        "login",
        "auditd",
        "pam_",
        "systemd-logind",
        "useradd",
        "usermod",
        "passwd",
        "accepted",
        "session opened",
    ];
    let logins = text.contains("auth") || programs.iter().any(|program| text.contains(program));
    let address = text
        .split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .any(|part| part.parse::<std::net::Ipv4Addr>().is_ok_and(|address| !address.is_loopback()));
    if everything {
        Weight::of(Severity::High, "every message is thrown away")
    } else if logins {
        Weight::of(Severity::Medium, "messages of who came or became root are thrown away")
    } else if address {
        Weight::of(Severity::Medium, "messages that name an address are thrown away")
    } else {
        Weight::of(Severity::Info, "some messages are thrown away")
    }
}

/// Rules of audit.rules(7) and settings of auditd.conf(5).
fn audit(files: &Files<'_>, row: &SystemSetting) -> Weight {
    let value = row.value.as_bytes();
    let is = |word: &[u8]| value.eq_ignore_ascii_case(word);
    match row.name.as_str().unwrap_or_default() {
        "local_events" | "write_logs" if is(b"no") => {
            Weight::of(Severity::Medium, "the audit system writes nothing")
        }
        "log_format" if is(b"nolog") => Weight::of(Severity::Medium, "the audit system writes nothing"),
        "log_file" if value == b"/dev/null" || weigh::is_open(value) => {
            Weight::of(Severity::Medium, format!("the audit log goes to {}", row.value))
        }
        "rule" => {
            let words: Vec<&[u8]> = value.split(|b| *b == b' ').filter(|word| !word.is_empty()).collect();
            if words.windows(2).any(|pair| matches!(pair, [b"-e", b"0"])) {
                return Weight::of(Severity::Medium, "the audit system is switched off");
            }
            let field =
                |name: &[u8]| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix(b"="));
            let object = field(b"exe").or_else(|| field(b"path")).or_else(|| field(b"dir")).or_else(|| {
                words
                    .windows(2)
                    .find_map(|pair| matches!(pair, [b"-w", _]).then(|| pair.get(1).copied()).flatten())
            });
            if let Some(object) = object {
                let path = Text::from(object);
                let file = files.get(&path);
                let foreign = file
                    .is_some_and(|file| file.packages_known && file.package.is_none() && file.what == "file");
                let odd = weigh::is_open(object) || entry::is_hidden(object);
                let system =
                    [&b"/etc"[..], b"/root", b"/usr", b"/bin", b"/sbin", b"/var/log"].iter().any(|place| {
                        object == *place || weigh::is_below(object, place) && field(b"exe").is_none()
                    });
                if odd || foreign || system {
                    let reason = format!("nothing that concerns {path} is recorded");
                    return Weight { paths: vec![path], ..Weight::of(Severity::Medium, reason) };
                }
                return Weight::of(Severity::Info, format!("nothing that concerns {path} is recorded"));
            }
            let who = field(b"auid").or_else(|| field(b"uid")).or_else(|| field(b"euid"));
            if who.is_some_and(|who| {
                matches!(who, b"0" | b"root") || who.first().is_some_and(|b| b.is_ascii_digit())
            }) {
                return Weight::of(Severity::Medium, "nothing that one account does is recorded");
            }
            let everything = !words.iter().any(|word| *word == b"-F" || word.starts_with(b"-F"))
                && words.iter().any(|word| word.split(|b| *b == b',').any(|part| part == b"never"));
            if everything {
                Weight::of(Severity::Low, "whole kinds of events are left out")
            } else {
                Weight::default()
            }
        }
        _ => Weight::default(),
    }
}

/// Logs that matter most afterwards.
fn matters(log: &[u8]) -> bool {
    let name = log.rsplit(|b| *b == b'/').next().unwrap_or_default();
    matches!(
        name,
        b"auth.log"
            | b"wtmp"
            | b"btmp"
            | b"secure"
            | b"audit.log"
            | b"syslog"
            | b"messages"
            | b"lastlog"
            | b"sudo.log"
    ) || matches!(log, b"/var/log/*.log" | b"/var/log/*" | b"/var/log/audit/*" | b"/var/log/audit/*.log")
}

fn rotation(row: &SystemSetting) -> Weight {
    let mut logs = row.name.as_bytes().split(|b| *b == b'\n');
    if !logs.any(matters) {
        return Weight::default();
    }
    for directive in row.value.as_bytes().split(|b| *b == b'\n') {
        let mut words = directive.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (name, value) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let small = matches!(name, b"size" | b"maxsize") && bytes(value).is_some_and(|size| size < 10 << 10);
        if name == b"rotate" && value == b"0" {
            return Weight::of(Severity::Medium, "older logs of who came are not kept at all");
        }
        if small {
            return Weight::of(
                Severity::Medium,
                format!("logs of who came are cut at {}", Text::from(value)),
            );
        }
    }
    Weight::default()
}

fn log(row: &SystemSetting) -> Weight {
    match row.name.as_str().unwrap_or_default() {
        "link" => {
            let target = row.value.as_bytes();
            let nowhere = target == b"/dev/null" || target.ends_with(b"/dev/null") || target == b"/dev/zero";
            if nowhere {
                // Containers send the logs of web servers to their own output.
                let web = matches!(row.path.file_name(), b"access.log" | b"error.log");
                let severity = if web { Severity::Low } else { Severity::Medium };
                Weight::of(severity, format!("{} is a link to {}", row.path, row.value))
            } else if weigh::is_open(target) && !matches!(target, b"/dev/stdout" | b"/dev/stderr") {
                Weight::of(Severity::Medium, format!("{} is a link to {}", row.path, row.value))
            } else {
                Weight::default()
            }
        }
        "device" => Weight::of(Severity::Low, format!("{} is no file", row.path)),
        "immutable" => {
            Weight::of(Severity::Medium, format!("{} is protected so that nothing can be added", row.path))
        }
        "missing"
            if matters(row.path.as_bytes())
                && !matches!(row.path.file_name(), b"syslog" | b"messages" | b"lastlog") =>
        {
            Weight::of(Severity::Low, format!("{} is gone, though {} is there", row.path, row.value))
        }
        _ => Weight::default(),
    }
}

fn history(row: &SystemSetting) -> Weight {
    let whose = format!("what \"{}\" types is not kept", row.whom);
    match row.name.as_str().unwrap_or_default() {
        "link" if row.value.as_bytes().ends_with(b"/dev/null") => {
            Weight::of(Severity::Medium, format!("{whose}: {} is a link to {}", row.path, row.value))
        }
        "immutable" | "directory" | "device" => {
            Weight::of(Severity::Medium, format!("{whose}: {} is no file that can grow", row.path))
        }
        _ => Weight::default(),
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host() -> Mem {
        Mem::new().file("/etc/passwd", "root:x:0:0::/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/bash\n")
    }

    #[test]
    fn what_is_not_recorded_is_found() {
        for (path, text) in [
            ("/etc/systemd/journald.conf", "[Journal]\nStorage=none\n"),
            ("/etc/systemd/journald.conf.d/x.conf", "[Journal]\nSystemMaxUse=64K\n"),
            ("/run/systemd/journald.conf.d/x.conf", "[Journal]\nMaxRetentionSec=5min\n"),
            ("/etc/systemd/journald.conf.d/l.conf", "[Journal]\nMaxLevelStore=emerg\n"),
            ("/etc/rsyslog.d/00-a.conf", "auth,authpriv.* stop\n"),
            ("/etc/rsyslog.d/00-b.conf", ":programname, isequal, \"sshd\" ~\n"),
            ("/etc/rsyslog.conf", "if $msg contains '203.0.113.9' then {\n stop\n}\n"),
            ("/etc/rsyslog.d/c.conf", "*.* /dev/null\n"),
            ("/etc/audit/rules.d/x.rules", "-e 0\n"),
            ("/etc/audit/rules.d/10-x.rules", "-a never,exit -F dir=/var/tmp/.x -k none\n"),
            ("/etc/audit/audit.rules", "-a never,exit -F auid=1000\n"),
            ("/etc/audit/auditd.conf", "write_logs = no\n"),
            ("/etc/logrotate.d/auth", "/var/log/auth.log /var/log/wtmp {\n  daily\n  rotate 0\n}\n"),
        ] {
            let seen = check(host().file(path, text));
            let found = seen.alarms("log-suppression");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.by("log-suppression"));
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
        for path in ["/var/log/wtmp", "/var/log/auth.log", "/root/.bash_history", "/home/me/.zsh_history"] {
            let seen = check(host().symlink(path, "/dev/null"));
            assert_eq!(seen.alarms("log-suppression").len(), 1, "{path}: {:#?}", seen.findings);
        }
        let fixed =
            host().file("/var/log/btmp", "").with("/var/log/btmp", |meta| meta.immutable = Some(true));
        assert_eq!(check(fixed).alarms("log-suppression").len(), 1);
    }

    #[test]
    fn ordinary_settings_are_quiet() {
        let seen = check(
            host()
                .file("/etc/systemd/journald.conf", "[Journal]\n#Storage=auto\nStorage=persistent\nSystemMaxUse=500M\nMaxRetentionSec=1month\n")
                .file("/etc/rsyslog.d/20-ufw.conf", ":msg,contains,\"[UFW \" /var/log/ufw.log\n& stop\n")
                .file("/etc/rsyslog.d/30-noise.conf", ":msg, contains, \"pam_unix(cron:session)\" ~\n:programname, isequal, \"dhclient\" stop\nif $programname == 'haproxy' then {\n action(type=\"omfile\" file=\"/var/log/haproxy.log\")\n stop\n}\n")
                .file("/etc/audit/rules.d/audit.rules", "-D\n-b 8192\n-f 1\n-w /etc/passwd -p wa -k identity\n-a always,exclude -F msgtype=CWD\n-a never,exit -F exe=/usr/bin/vmtoolsd\n")
                .file("/etc/audit/auditd.conf", "local_events = yes\nwrite_logs = yes\nlog_file = /var/log/audit/audit.log\n")
                .file("/etc/logrotate.d/rsyslog", "/var/log/syslog\n/var/log/auth.log\n{\n rotate 4\n weekly\n postrotate\n  /usr/lib/rsyslog/rsyslog-rotate\n endscript\n}\n")
                .file("/etc/logrotate.d/app", "/var/log/app.log {\n rotate 0\n}\n")
                .symlink("/root/.mysql_history", "/dev/null")
                .file("/root/.bash_history", "ls\n")
                .symlink("/var/log/nginx/access.log", "/dev/stdout"),
        );
        assert!(seen.by("log-suppression").is_empty(), "{:#?}", seen.by("log-suppression"));
    }
}
