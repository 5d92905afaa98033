//! Detector: a service that watches the system or keeps its logs is switched off for good.

use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::Unit};
use std::collections::BTreeSet;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "masked-watcher",
        doc: "A unit of a logging or security service is masked, so that nothing can start it.",
        mechanisms: &[39, 81, 106],
        attack: &["T1562.001"],
        why: "Without it, what happens on the server is not recorded or not stopped.",
        innocent: "you masked it on purpose, for example because another service does its work",
        next: "if nobody masked it, find out when its link was made: the time tells what it was to hide",
    },
    judge,
};

/// Services that watch a system, keep its logs or update its protection.
const WATCHERS: &[&str] = &[
    "auditd",
    "rsyslog",
    "syslog-ng",
    "systemd-journald",
    "apparmor",
    "fail2ban",
    "crowdsec",
    "falco",
    "osqueryd",
    "wazuh-agent",
    "clamav-daemon",
    "clamav-freshclam",
    "falcon-sensor",
    "nftables",
    "ufw",
    "firewalld",
    "suricata",
    "aide",
    "samhain",
    "tripwire",
    "chkrootkit",
    "rkhunter",
    "dailyaidecheck",
    "aidecheck",
    "debsums",
    "wazuh-manager",
    "ossec",
    "ossec-hids",
    "auditbeat",
    "filebeat",
    "sysmon",
    "psad",
    "snort",
    "zeek",
    "maldet",
    "laurel",
    "sysstat",
    "acct",
    "psacct",
    "systemd-journal-upload",
    "systemd-journal-remote",
    "unattended-upgrades",
    "mdatp",
    "sentinelone",
    "cbagentd",
    "osquery",
    "tetragon",
    "sshguard",
    "imunify-antivirus",
    "syslog",
    "logcheck",
    "logwatch",
    "prometheus-node-exporter",
    "zabbix-agent",
    "monit",
];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let masked: Vec<_> = tables
        .of::<Unit>()
        .filter(|row| row.what == "mask" && WATCHERS.contains(&stem(row.name.as_str().unwrap_or_default())))
        .collect();
    // Of several firewalls only one is used, and what the system brings for others is masked on many.
    let ordinary = [
        "nftables",
        "ufw",
        "firewalld",
        "syslog",
        "unattended-upgrades",
        "systemd-journal-upload",
        "sysstat",
    ];
    let blinded: BTreeSet<&str> = masked
        .iter()
        .map(|row| stem(row.fact.name.as_str().unwrap_or_default()))
        .filter(|stem| !ordinary.contains(stem))
        .collect();
    for row in masked {
        let name = stem(row.fact.name.as_str().unwrap_or_default());
        let several = blinded.len() > 1 && blinded.contains(name);
        // Masking what is not installed keeps it from being installed by accident; masking what is there blinds.
        let installed = row.overrides.is_some();
        let mut draft = Draft::new(
            if installed || several { Severity::Medium } else { Severity::Low },
            Certainty::Possible,
            row.path.as_bytes(),
            format!("\"{}\" is switched off for good", row.name),
        )
        .path(&row.path)
        .unit(&row.name)
        .saw(format!("{} leads to /dev/null or is empty", row.path))
        .from(&row, "the unit is masked");
        if several {
            draft = draft
                .saw(format!("{} services that watch or record are switched off like this", blinded.len()));
        }
        drafts.push(draft);
    }
}

/// A unit's name without its kind.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn masked_watchers_are_told_and_other_masks_are_not() {
        let seen = check(
            Mem::new()
                .symlink("/etc/systemd/system/auditd.service", "/dev/null")
                .symlink("/run/systemd/system/rsyslog.service", "/dev/null")
                .file("/etc/systemd/system/apparmor.service", "")
                .symlink("/etc/systemd/system/bluetooth.service", "/dev/null")
                .symlink("/etc/systemd/system/syslog.service", "/usr/lib/systemd/system/rsyslog.service"),
        );
        assert_eq!(seen.by("masked-watcher").len(), 3, "{:#?}", seen.findings);
        assert_eq!(seen.alarms("masked-watcher").len(), 3, "several at once: {:#?}", seen.findings);
        let one = check(
            Mem::new()
                .symlink("/etc/systemd/system/clamav-daemon.service", "/dev/null")
                .symlink("/etc/systemd/system/nftables.service", "/dev/null")
                .symlink("/etc/systemd/system/ufw.service", "/dev/null"),
        );
        assert!(one.alarms("masked-watcher").is_empty(), "{:#?}", one.findings);
    }
}
