//! Collector: what is recorded and what is thrown away, and how programs that watch the system are set.

use crate::area::{Area, Found};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, settings};
use calma_formats::{agent_commands, log_settings as parse, unit};
use calma_host::{FileKind, join};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "log-settings",
        doing: "Looking at what is recorded",
        doc: "settings of logs, of the audit system and of programs that watch the system; logs and histories that lead nowhere",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(30),
    },
    collect,
};

const WHAT: &str = "settings of logs";
const JOURNAL: Area = Area("journal");
const DISCARD: Area = Area("discarded messages");
const AUDIT: Area = Area("audit rule");
const ROTATION: Area = Area("log rotation");
const FILE: Area = Area("log file");
const HISTORY: Area = Area("shell history");
const WATCHER: Area = Area("watcher setting");
const OFF: Area = Area("switched off");

/// Logs of who came and what was done.
const LOGS: &[&str] = &[
    "wtmp",
    "btmp",
    "lastlog",
    "utmp",
    "auth.log",
    "secure",
    "syslog",
    "messages",
    "kern.log",
    "cron",
    "cron.log",
    "audit/audit.log",
    "sudo.log",
    "faillog",
    "journal",
    "apache2/access.log",
    "nginx/access.log",
    "mail.log",
    "daemon.log",
    "dpkg.log",
    "fail2ban.log",
    "maillog",
    "wtmp.db",
];
const HISTORIES: &[&str] =
    &[".bash_history", ".zsh_history", ".sh_history", ".ash_history", ".history", ".ksh_history"];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    for pattern in [
        &b"/etc/systemd/journald.conf"[..],
        b"/etc/systemd/journald.conf.d/*.conf",
        b"/run/systemd/journald.conf.d/*.conf",
        b"/usr/local/lib/systemd/journald.conf.d/*.conf",
        b"/usr/lib/systemd/journald.conf.d/*.conf",
    ] {
        for path in settings::glob(tree, pattern) {
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for setting in unit::parse(&bytes) {
                let (name, value) = (setting.name.as_bytes(), setting.value.as_bytes());
                JOURNAL.put(context, &path, &Found { line: setting.line, name, value, whom: b"" }, out)?;
            }
        }
    }
    for pattern in [&b"/etc/rsyslog.conf"[..], b"/etc/rsyslog.d/*.conf", b"/etc/syslog.conf"] {
        for path in settings::glob(tree, pattern) {
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for rule in parse::discards(&bytes) {
                let found =
                    Found { line: rule.line, name: b"discard", value: rule.which.as_bytes(), whom: b"" };
                DISCARD.put(context, &path, &found, out)?;
            }
        }
    }
    audit(context, out)?;
    for pattern in [&b"/etc/logrotate.conf"[..], b"/etc/logrotate.d/*"] {
        for path in settings::glob(tree, pattern) {
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for block in parse::rotation(&bytes) {
                let join = |all: &[calma_record::Text]| {
                    all.iter().map(|t| t.as_bytes()).collect::<Vec<_>>().join(&b'\n')
                };
                let (name, value) = (join(&block.logs), join(&block.directives));
                let found = Found { line: block.line, name: &name, value: &value, whom: b"" };
                ROTATION.put(context, &path, &found, out)?;
            }
        }
    }
    logs(context, out)?;
    for home in settings::homes(context) {
        for name in HISTORIES {
            let path = join(&home.path, name.as_bytes());
            special(context, HISTORY, &path, home.account.as_bytes(), out)?;
        }
    }
    watchers(context, out)?;
    switched_off(context, out)
}

fn audit(context: &Context, out: &mut Out) -> Flow {
    for pattern in [&b"/etc/audit/audit.rules"[..], b"/etc/audit/rules.d/*.rules", b"/etc/audit.rules"] {
        for path in settings::glob(context.host.tree(), pattern) {
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for (line, text) in parse::audit(&bytes) {
                describe::command(context, text.as_bytes(), out)?;
                AUDIT.put(
                    context,
                    &path,
                    &Found { line, name: b"rule", value: text.as_bytes(), whom: b"" },
                    out,
                )?;
            }
        }
    }
    let names = ["local_events", "write_logs", "log_file", "log_format", "disk_full_action", "max_log_file"];
    keyed(context, b"/etc/audit/auditd.conf", AUDIT, &names, out)
}

fn keyed(context: &Context, path: &[u8], area: Area, names: &[&str], out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for name in names {
        for found in agent_commands::keyed(&bytes, &[name]) {
            let value = found.command.as_bytes();
            describe::file(context, value, out)?;
            area.put(
                context,
                path,
                &Found { line: found.line, name: name.as_bytes(), value, whom: b"" },
                out,
            )?;
        }
    }
    out.flow()
}

/// Logs that are links, that nobody can write to any more, or that are gone while their older parts stand.
fn logs(context: &Context, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    for name in LOGS {
        let path = join(b"/var/log", name.as_bytes());
        special(context, FILE, &path, b"", out)?;
        let older = [path.as_slice(), b".1"].concat();
        if tree.meta(&path).is_err_and(|error| error.is_missing()) && tree.meta(&older).is_ok() {
            let found = Found { line: 0, name: b"missing", value: &older, whom: b"" };
            FILE.put(context, &path, &found, out)?;
        }
    }
    out.flow()
}

/// What a log or a history is, if it is no ordinary file that grows.
fn special(context: &Context, area: Area, path: &[u8], whom: &[u8], out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let Ok(meta) = tree.meta(path) else { return out.flow() };
    let target = tree.link(path).unwrap_or_default();
    let (name, value): (&[u8], &[u8]) = match meta.kind {
        FileKind::Link => (b"link", &target),
        FileKind::Directory if area.0 == HISTORY.0 => (b"directory", b""),
        FileKind::File if meta.immutable == Some(true) => (b"immutable", b""),
        FileKind::Other => (b"device", b""),
        _ => return out.flow(),
    };
    area.put(context, path, &Found { line: 0, name, value, whom }, out)
}

/// What programs that watch the system are told to pass over.
fn watchers(context: &Context, out: &mut Out) -> Flow {
    let files: &[(&[u8], &[&str])] = &[
        (
            b"/etc/rkhunter.conf*",
            &[
                "ALLOWHIDDENDIR",
                "ALLOWHIDDENFILE",
                "ALLOWDEVFILE",
                "RTKT_FILE_WHITELIST",
                "RTKT_DIR_WHITELIST",
                "SCRIPTWHITELIST",
                "ALLOWPROCDELFILE",
                "ALLOWPROCLISTEN",
                "EXCLUDE_USER_FILEPROP_FILES_DIRS",
                "PORT_WHITELIST",
                "PORT_PATH_WHITELIST",
                "SHARED_LIB_WHITELIST",
            ],
        ),
        (
            b"/etc/rkhunter.d/*.conf",
            &[
                "ALLOWHIDDENDIR",
                "ALLOWHIDDENFILE",
                "ALLOWDEVFILE",
                "RTKT_FILE_WHITELIST",
                "RTKT_DIR_WHITELIST",
                "SHARED_LIB_WHITELIST",
            ],
        ),
        (b"/etc/fail2ban/jail.local", &["ignoreip", "enabled"]),
        (b"/etc/fail2ban/jail.d/*", &["ignoreip", "enabled"]),
        (b"/etc/clamav/clamd.conf", &["ExcludePath"]),
        (b"/etc/selinux/config", &["SELINUX"]),
        (b"/etc/chkrootkit.conf", &["RUN_DAILY_OPTS"]),
        (b"/etc/chkrootkit/chkrootkit.conf", &["RUN_DAILY_OPTS"]),
    ];
    for (pattern, names) in files {
        for path in settings::glob(context.host.tree(), pattern) {
            keyed(context, &path, WATCHER, names, out)?;
        }
    }
    for pattern in [
        &b"/etc/aide.conf"[..],
        b"/etc/aide/aide.conf",
        b"/etc/aide/aide.conf.d/*",
        b"/etc/aide/aide.settings.d/*",
    ] {
        for path in settings::glob(context.host.tree(), pattern) {
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for (line, text) in calma_formats::lines::meaningful(&bytes) {
                if let Some(value) = text.strip_prefix(b"!").map(<[u8]>::trim_ascii) {
                    WATCHER.put(context, &path, &Found { line, name: b"!", value, whom: b"aide" }, out)?;
                }
            }
        }
    }
    out.flow()
}

/// Units that their package switched on and whose link is gone: deb-systemd-helper(1p) keeps what it made.
fn switched_off(context: &Context, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let kept = b"/var/lib/systemd/deb-systemd-helper-enabled";
    for path in settings::glob(tree, &join(kept, b"*.wants/*")) {
        let rest = path.get(kept.len() + 1..).unwrap_or_default();
        let link = join(b"/etc/systemd/system", rest);
        let name = rest.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let there = [&b"/usr/lib/systemd/system"[..], b"/lib/systemd/system"]
            .iter()
            .any(|place| tree.meta(&join(place, name)).is_ok());
        if there && tree.meta(&link).is_err_and(|error| error.is_missing()) {
            OFF.put(context, &path, &Found { line: 0, name, value: &link, whom: b"" }, out)?;
        }
    }
    out.flow()
}
