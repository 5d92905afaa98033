//! Collector: backups and security programs that are told to leave things out, or do not run any more.

use crate::area::{Area, Found};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::protection::{self as parse, Program};
use calma_host::FileKind;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "protections",
        doing: "Looking at backups and security programs",
        doc: "backups and security programs that leave things out or do not run any more",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "settings of backups and security programs";
const PROTECTION: Area = Area("protection");

/// Scripts of backups and scanners.
const SCRIPTS: &[&str] = &[
    "/etc/cron.hourly/*",
    "/etc/cron.daily/*",
    "/etc/cron.weekly/*",
    "/etc/cron.monthly/*",
    "/usr/local/bin/*",
    "/usr/local/sbin/*",
    "/root/*.sh",
    "/root/bin/*",
    "/opt/*/*.sh",
    "/opt/*/bin/*",
    "/srv/*/*.sh",
    "/etc/backup.d/*",
    "/etc/backup/*",
];

/// Which files, how, and whose they are.
const FILES: &[(&[&str], Program, &str)] = &[
    (&["/etc/rsnapshot.conf", "/etc/rsnapshot.d/*"], Program::Backup, "rsnapshot"),
    (
        &[
            "/etc/borgmatic/*.yaml",
            "/etc/borgmatic/*.yml",
            "/etc/borgmatic.d/*.yaml",
            "/etc/borgmatic.d/*.yml",
            "/root/.config/borgmatic/*.yaml",
            "/root/.config/borgmatic/*.yml",
            "/root/.config/borgmatic.d/*",
        ],
        Program::Backup,
        "borgmatic",
    ),
    (
        &[
            "/etc/bacula/bacula-dir.conf",
            "/etc/bacula/bacula-dir.d/*",
            "/etc/bareos/bareos-dir.d/job*/*.conf",
            "/etc/bareos/bareos-dir.d/fileset/*.conf",
            "/etc/bareos/bareos-dir.conf",
        ],
        Program::Backup,
        "Bacula or Bareos",
    ),
    (
        &[
            "/etc/restic/*.yml",
            "/etc/restic/*.yaml",
            "/etc/resticprofile/*.y*ml",
            "/etc/autorestic/*.yml",
            "/root/.autorestic.yml",
            "/etc/rustic/*.toml",
        ],
        Program::Backup,
        "restic",
    ),
    (
        &[
            "/etc/restic/*exclude*",
            "/etc/borg/*exclude*",
            "/etc/backup/*exclude*",
            "/root/.config/restic/*exclude*",
            "/etc/duply/*/exclude",
            "/root/.duply/*/exclude",
            "/usr/local/maldetect/ignore_paths",
        ],
        Program::Paths,
        "a backup's or scanner's list of exclusions",
    ),
    (&["/etc/aide/aide.conf", "/etc/aide.conf", "/etc/aide/aide.conf.d/*"], Program::Aide, "AIDE"),
    (
        &[
            "/etc/clamav/clamd.conf",
            "/etc/clamd.d/*.conf",
            "/etc/clamav/freshclam.conf",
            "/etc/freshclam.conf",
            "/etc/clamd.conf",
        ],
        Program::Clam,
        "ClamAV",
    ),
    (
        &[
            "/var/ossec/etc/ossec.conf",
            "/var/ossec/etc/shared/agent.conf",
            "/var/ossec/etc/shared/*/agent.conf",
        ],
        Program::Ossec,
        "OSSEC or Wazuh",
    ),
    (
        &["/etc/rkhunter.conf", "/etc/rkhunter.conf.local", "/etc/rkhunter.d/*.conf"],
        Program::Rkhunter,
        "rkhunter",
    ),
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let put = |path: &[u8], state: parse::State, whose: &str, out: &mut Out| {
        let found = Found {
            line: state.line,
            name: state.name.as_bytes(),
            value: state.value.as_bytes(),
            whom: whose.as_bytes(),
        };
        PROTECTION.put(context, path, &found, out)
    };
    for (patterns, program, whose) in FILES {
        for path in patterns.iter().flat_map(|pattern| settings::glob(tree, pattern.as_bytes())) {
            if !tree.meta_followed(&path).is_ok_and(|meta| meta.kind == FileKind::File) {
                continue;
            }
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for state in parse::states(&bytes, *program) {
                put(&path, state, whose, out)?;
            }
        }
    }
    for pattern in [
        "/etc/crontab",
        "/etc/cron.d/*",
        "/var/spool/cron/crontabs/*",
        "/var/spool/cron/*",
        "/etc/anacrontab",
    ] {
        for path in settings::glob(tree, pattern.as_bytes()) {
            if !tree.meta_followed(&path).is_ok_and(|meta| meta.kind == FileKind::File) {
                continue;
            }
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for state in parse::commented_jobs(&bytes) {
                put(&path, state, "cron", out)?;
            }
        }
    }
    for pattern in SCRIPTS {
        for path in settings::glob(tree, pattern.as_bytes()) {
            if !tree
                .meta_followed(&path)
                .is_ok_and(|meta| meta.kind == FileKind::File && meta.size < 256 << 10)
            {
                continue;
            }
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            let shell = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
            if !shell.starts_with(b"#!") || !shell.windows(2).any(|pair| pair == b"sh") {
                continue;
            }
            if let Some(state) = parse::ends_early(&bytes) {
                // What it is for, from its name and its text.
                put(&path, parse::State { value: bytes.into(), ..state }, "script", out)?;
            }
        }
    }
    // run-parts(8) runs what may be executed and has a plain name.
    for path in settings::glob(tree, b"/etc/cron.*/*") {
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let Ok(meta) = tree.meta_followed(&path) else { continue };
        let plain = name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if path.starts_with(b"/etc/cron.d/")
            || meta.kind != FileKind::File
            || (meta.mode & 0o111 != 0 && plain)
        {
            continue;
        }
        let Ok(content) = tree.read(&path, 256) else { continue };
        if content.bytes.starts_with(b"#!") {
            let found = Found { line: 0, name: b"not-run", value: name, whom: b"cron" };
            PROTECTION.put(context, &path, &found, out)?;
        }
    }
    out.flow()
}
