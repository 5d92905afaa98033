//! Tests of the detector.

use calma_testkit::{Mem, check};

const MENU: &str = "menuentry 'Debian GNU/Linux' {\n\tlinux\t/boot/vmlinuz-6.1.0-9 root=UUID=1 ro quiet EXTRA\n\tinitrd\t/boot/initrd.img-6.1.0-9\n}\n\
    submenu 'Advanced' {\n\tmenuentry 'Debian, recovery mode' {\n\t\tlinux\t/boot/vmlinuz-6.1.0-9 root=UUID=1 ro single EXTRA\n\t\tinitrd\t/boot/initrd.img-6.1.0-9\n\t}\n}\n";

fn debian(extra: &str, setting: &str) -> Mem {
    Mem::new()
        .file(
            "/var/lib/dpkg/info/base.list",
            "/.\n/boot/vmlinuz-6.1.0-9\n/usr/bin/dash\n/usr/sbin/tool-init\n",
        )
        .file("/boot/vmlinuz-6.1.0-9", "MZ")
        .file("/boot/initrd.img-6.1.0-9", "x")
        .file("/usr/bin/dash", "\x7fELF")
        .file("/usr/sbin/tool-init", "\x7fELF")
        .symlink("/bin", "usr/bin")
        .symlink("/usr/bin/sh", "dash")
        .file("/boot/grub/grub.cfg", MENU.replace("EXTRA", extra))
        .file(
            "/etc/default/grub",
            format!(
                "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"{setting}\"\n"
            ),
        )
}

#[test]
fn options_that_open_the_system_are_found() {
    for option in [
        "init=/bin/sh",
        "init=/usr/lib/.boot/init",
        "rdinit=/sbin/xinit",
        "rd.break",
        "break=premount",
        "systemd.debug-shell=1",
        "systemd.debug_shell",
        "systemd.run=/var/tmp/x",
        "systemd.unit=netd.service",
        "systemd.wants=upd.service",
        "systemd.mask=auditd.service",
        "systemd.setenv=LD_PRELOAD=/dev/shm/l.so",
        "systemd.set_credential=ssh.authorized_keys.root:c3NoLWVkMjU1MTk=",
        "sysctl.kernel.core_pattern=|/opt/h",
        "apparmor=0",
        "module.sig_enforce=0",
        "lsm=capability,yama",
        "initcall_blacklist=apparmor_init",
    ] {
        for (menu, setting) in [(option, ""), ("", option)] {
            let seen = check(debian(menu, setting));
            let found = seen.alarms("boot-entry");
            assert_eq!(found.len(), 1, "{option}: {:#?}", seen.findings);
            let path = if menu.is_empty() { "/etc/default/grub" } else { "/boot/grub/grub.cfg" };
            assert!(format!("{:?}", found[0].subjects).contains(path), "{option}");
        }
    }
}

#[test]
fn the_running_kernel_is_compared_with_the_entries() {
    let running = |options: &str| {
        Mem::running()
            .file("/proc/cmdline", format!("BOOT_IMAGE=/v ro {options}\n"))
            .file("/boot/grub/grub.cfg", MENU.replace("EXTRA", ""))
    };
    assert!(check(running("quiet")).by("boot-entry").is_empty());
    for option in ["audit=0", "selinux=0", "init=/bin/bash", "systemd.debug-shell"] {
        assert_eq!(check(running(option)).alarms("boot-entry").len(), 1, "{option}");
    }
}

#[test]
fn odd_images_and_other_loaders_are_found() {
    for (path, text) in [
        (
            "/boot/grub/custom.cfg",
            "menuentry 'x' {\n linux /boot/vmlinuz-6.1.0-9 ro\n initrd /boot/initrd.img-6.1.0-9 /boot/extra.img\n}\n",
        ),
        ("/boot/grub/custom.cfg", "menuentry 'x' {\n linux /srv/data/k ro\n}\n"),
        (
            "/boot/loader/entries/a.conf",
            "title Linux\nlinux /vmlinuz-6.1.0-9\ninitrd /.cache/i.img\noptions ro\n",
        ),
        ("/boot/loader/entries/b.conf", "title Linux\nlinux /vmlinuz-6.1.0-9\noptions ro init=/opt/x/init\n"),
        ("/boot/extlinux/extlinux.conf", "LABEL l\nKERNEL /boot/vmlinuz-6.1.0-9\nAPPEND ro rd.break\n"),
        ("/etc/kernel/cmdline", "root=/dev/a ro init=/var/tmp/i\n"),
        ("/etc/default/grub.d/50-x.cfg", "GRUB_EARLY_INITRD_LINUX_CUSTOM=\"x.img\"\n"),
    ] {
        let host = debian("", "")
            .file("/srv/data/k", "MZ")
            .file("/boot/.cache/i.img", "x")
            .file("/boot/extra.img", "x");
        let seen = check(host.file(path, text));
        let found = seen.alarms("boot-entry");
        assert_eq!(found.len(), 1, "{path} {text}: {:#?}", seen.findings);
        assert!(format!("{:?}", found[0].subjects).contains(path));
    }
    let writable = debian("", "").owned("/boot/initrd.img-6.1.0-9", 0o666, 0, 0);
    assert!(!check(writable).alarms("boot-entry").is_empty());
}

#[test]
fn what_administrators_and_distributions_set_is_no_alarm() {
    let ordinary = "console=ttyS0,115200 net.ifnames=0 mitigations=off crashkernel=384M-:128M systemd.unified_cgroup_hierarchy=1 apparmor=1 security=apparmor lsm=landlock,lockdown,yama,apparmor init=/sbin/init";
    assert!(check(debian(ordinary, ordinary)).by("boot-entry").is_empty());
    let off = check(debian("selinux=0", "selinux=0"));
    assert!(off.alarms("boot-entry").is_empty(), "{:#?}", off.findings);
    let tool = check(debian("init=/usr/sbin/tool-init", "init=/usr/sbin/tool-init"));
    assert!(tool.alarms("boot-entry").is_empty());
    let early = debian("", "").file("/boot/intel-ucode.img", "x").file(
        "/boot/loader/entries/a.conf",
        "title A\nlinux /vmlinuz-6.1.0-9\ninitrd /intel-ucode.img\ninitrd /initrd.img-6.1.0-9 $tuned_initrd\noptions ro systemd.unit=rescue.target\n",
    );
    assert!(check(early).by("boot-entry").is_empty());
    // A container sees the command line of a kernel that is another machine's.
    let contained = Mem::running()
        .file("/proc/cmdline", "ro init=/process_api apparmor=0\n")
        .file("/run/systemd/container", "systemd-nspawn\n");
    assert!(check(contained).by("boot-entry").is_empty());
}
