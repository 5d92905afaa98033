//! Detector: things on the firmware's boot partition that no boot loader brings, and checks of shim switched off.

use crate::weigh;
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::EfiFile, kinds::KernelSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "firmware",
        doc: "The partition the firmware starts from holds what no boot loader brings, or the check of signatures at boot is switched off.",
        mechanisms: &[38],
        attack: &["T1542.003", "T1542"],
        why: "What stands there runs before the system does, and stays when the system is installed anew.",
        innocent: "a tool of the machine's maker or of yours was put there, or you switched the check off for a driver",
        next: "keep a copy of the partition; compare its programs with those of the packages, on another machine",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    for row in tables.of::<EfiFile>() {
        let path = row.path.as_bytes();
        let name = row.path.file_name().to_ascii_lowercase();
        let (severity, reason) = if weigh::is_hidden(path) || weigh::is_deceptive(path) {
            (Severity::Medium, "its name or its directory is hidden")
        } else if name.ends_with(b".nsh") {
            (
                Severity::Medium,
                "it is a script of the firmware's own shell, which runs by itself where there is no other boot loader",
            )
        } else if matches!(row.what.as_str(), "elf" | "script") {
            (
                Severity::Medium,
                "it is a program of the running system, not of the firmware: nothing there is started from this partition",
            )
        } else {
            continue;
        };
        drafts.push(
            Draft::new(
                severity,
                Certainty::Likely,
                path,
                format!("An odd file stands on the boot partition: {}", row.path),
            )
            .path(&row.path)
            .saw(format!("{}: {} bytes, changed {}", row.path, row.size, row.modified))
            .saw(reason)
            .from(&row, "the file"),
        );
    }
    for row in tables.of::<KernelSetting>() {
        if row.name == "efi.shim_check_off" && row.value == "1" {
            let title = "Signatures of what is started at boot are not checked (shim)".to_owned();
            drafts.push(
                Draft::new(Severity::Low, Certainty::Possible, "shim", title)
                    .path(&row.path)
                    .saw(format!("{} is {}", row.path, row.value))
                    .from(&row, "the switch"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn debian() -> Mem {
        Mem::new()
            .file("/var/lib/dpkg/info/shim.list", "/.\n/usr/lib/shim/shimx64.efi.signed\n")
            .file("/usr/lib/shim/shimx64.efi.signed", "MZ shim")
            .file("/boot/efi/EFI/debian/shimx64.efi", "MZ shim")
            .file("/boot/efi/EFI/debian/grubx64.efi", "MZ grub")
            .file("/boot/efi/EFI/debian/grub.cfg", "search.fs_uuid 1 root\nconfigfile $prefix/grub.cfg\n")
            .file("/boot/efi/EFI/debian/BOOTX64.CSV", "shimx64.efi,debian,,\n")
            .file("/boot/efi/EFI/BOOT/BOOTX64.EFI", "MZ shim")
    }

    #[test]
    fn foreign_things_are_found() {
        for (path, text) in [
            ("/boot/efi/startup.nsh", "fs0:\\EFI\\x.efi\n"),
            ("/boot/efi/EFI/debian/.old/grubx64.efi", "MZ x"),
            ("/boot/efi/EFI/debian/fw", "\x7fELF\x02"),
            ("/boot/efi/EFI/tools/run", "#!/bin/sh\n"),
        ] {
            let seen = check(debian().file(path, text));
            let found = seen.alarms("firmware");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn boot_loaders_are_no_alarm() {
        let host = debian()
            .file("/boot/efi/EFI/Dell/logs/diags.txt", "ok")
            .file("/boot/efi/EFI/Linux/a.efi", "MZ uki");
        let seen = check(host);
        assert!(seen.by("firmware").is_empty(), "{:#?}", seen.findings);
        let copy = seen.facts.iter().any(|fact| {
            format!("{fact:?}").contains("shimx64.efi.signed") && format!("{fact:?}").contains("EfiFile")
        });
        assert!(copy);
    }
}
