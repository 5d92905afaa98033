//! Collector: scripts that run when a kernel, a boot image or the boot menu is made, and what goes into the boot image.

use crate::startup::{self, Mechanism};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "boot-hooks",
        doing: "Looking at what goes into the boot image",
        doc: "scripts of kernel installation, of the initial file system and of the boot menu",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(30),
    },
    collect,
};

const WHAT: &str = "scripts that make the boot image and the boot menu";
const KERNEL: Mechanism =
    Mechanism { name: "kernel hook", when: "whenever a kernel is installed or removed" };
const IMAGE: Mechanism = Mechanism {
    name: "initramfs hook",
    when: "when the boot image is made, or at every boot from within it",
};
const MENU: Mechanism = Mechanism { name: "boot menu script", when: "whenever the boot menu is made" };

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let kernel: &[&[u8]] = &[
        b"/etc/kernel/*.d",
        b"/usr/share/kernel/*.d",
        b"/usr/lib/kernel/*.d",
        b"/lib/kernel/*.d",
        b"/etc/initramfs/*.d",
        b"/etc/zipl.d",
    ];
    // Scripts of one kernel version stand in directories of their own (kernel-img.conf(5)).
    for directory in startup::directories(context, kernel) {
        for path in settings::files(context, &directory, WHAT, out)? {
            KERNEL.program(context, &path, out)?;
        }
    }
    KERNEL.programs(context, &[b"/etc/kernel/*.d/*"], WHAT, out)?;
    KERNEL.scripts(context, &[b"/etc/kernel-img.conf", b"/etc/kernel/install.conf"], WHAT, out)?;
    let programs: &[&[u8]] = &[
        b"/etc/initramfs-tools/hooks",
        b"/etc/initramfs-tools/scripts",
        b"/etc/initramfs-tools/scripts/*",
        b"/usr/share/initramfs-tools/hooks",
        b"/usr/share/initramfs-tools/scripts",
        b"/usr/share/initramfs-tools/scripts/*",
        b"/usr/share/initramfs-tools",
        b"/etc/initcpio/install",
        b"/etc/initcpio/hooks",
        b"/etc/initcpio/post",
        b"/usr/lib/initcpio/install",
        b"/usr/lib/initcpio/hooks",
        b"/usr/lib/initcpio/post",
        b"/etc/mkinitfs/features.d",
    ];
    IMAGE.programs(context, programs, WHAT, out)?;
    let sourced: &[&[u8]] = &[
        b"/etc/initramfs-tools/*.conf",
        b"/etc/initramfs-tools/conf.d/*",
        b"/usr/share/initramfs-tools/conf.d/*",
        b"/usr/share/initramfs-tools/conf-hooks.d/*",
        b"/usr/share/initramfs-tools/hook-functions",
        b"/usr/share/initramfs-tools/scripts/functions",
        b"/etc/dracut.conf",
        b"/etc/dracut.conf.d/*.conf",
        b"/usr/lib/dracut/dracut.conf.d/*.conf",
        b"/usr/lib/dracut/modules.d/*/*",
        b"/etc/mkinitcpio.conf",
        b"/etc/mkinitcpio.conf.d/*.conf",
        b"/etc/mkinitfs/mkinitfs.conf",
    ];
    IMAGE.scripts(context, sourced, WHAT, out)?;
    MENU.programs(context, &[b"/etc/grub.d", b"/etc/grub.d/*", b"/etc/boot.d"], WHAT, out)?;
    let sourced: &[&[u8]] =
        &[b"/etc/default/grub", b"/etc/default/grub.d/*", b"/usr/share/grub/*_lib", b"/etc/sysconfig/grub"];
    MENU.scripts(context, sourced, WHAT, out)
}
