//! Detector: a service that watches the system or keeps its logs is switched off for good.

use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::Unit};

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
];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    for row in tables.of::<Unit>().filter(|row| row.what == "mask") {
        let name = row.name.as_str().unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        if !WATCHERS.contains(&stem) {
            continue;
        }
        // Masking what is not installed keeps it from being installed by accident; masking what is there blinds.
        let installed = row.overrides.is_some();
        drafts.push(
            Draft::new(
                if installed { Severity::Medium } else { Severity::Low },
                Certainty::Possible,
                row.path.as_bytes(),
                format!("\"{}\" is switched off for good", row.name),
            )
            .path(&row.path)
            .unit(&row.name)
            .saw(format!("{} leads to /dev/null or is empty", row.path))
            .from(&row, "the unit is masked"),
        );
    }
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
    }
}
