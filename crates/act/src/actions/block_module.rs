//! Keeps a kernel module from being loaded again, by name or by need. It is never unloaded: taking a rootkit out of a
//! running kernel can end the machine, and what it hooked would stay.

use crate::action::{Action, Card, Done, Looking, Trouble, Verdict};
use crate::{Acting, fresh};
use calma_record::Text;
use calma_record::step::{Refusal, Step, Target, Undo, Undoable, Way};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "block-module",
        doc: "Blocks a kernel module for the next boot (modprobe.d); it is not unloaded: restart from known media.",
        csf: "RS.MI-02",
        undoable: Undoable::Reversible,
        back: "undo: unblock",
        against: "insmod(8) and anything that loads the file itself do not ask modprobe.d, and neither does an initramfs \
                  that holds the module: make that anew. The loaded module stays and may hide all of this.",
    },
    ready: None,
    prepare,
    apply: |acting: &mut Acting<'_>, step: &Step, undo: &Undo| -> Result<Done, Trouble> {
        let loaded = match &step.target {
            Target::Module { name } => is_loaded(&acting.looking, name),
            _ => false,
        };
        let says = match loaded {
            true => {
                "blocked for the next boot; it is loaded now and stays until then: restart from known media"
            }
            false => "blocked for the next boot",
        };
        fresh::apply(acting, undo, says.to_owned())
    },
    verify: |looking: &mut Looking<'_>, _: &Step, undo: &Undo, way: Way| -> Verdict {
        fresh::verify(looking, undo, way)
    },
    revert: |acting: &mut Acting<'_>, _: &Step, undo: &Undo| -> Result<Done, Trouble> {
        fresh::revert(acting, undo)
    },
};

/// Modules without which a system does not come up or is not reached: a name an intruder chose to be blocked by it.
const NEEDED: [&str; 16] = [
    "ext4",
    "xfs",
    "btrfs",
    "vfat",
    "overlay",
    "dm_mod",
    "dm_crypt",
    "md_mod",
    "nvme",
    "nvme_core",
    "ahci",
    "sd_mod",
    "virtio_blk",
    "virtio_net",
    "virtio_pci",
    "usbhid",
];

fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let Target::Module { name } = &step.target else {
        return Err(Refusal::new("this is not about a kernel module"));
    };
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let written = name.to_string();
    if name.is_empty() || name.as_bytes().len() > 55 || !name.as_bytes().iter().all(plain) {
        return Err(Refusal::new("that is no name of a module"));
    }
    if NEEDED.contains(&written.replace('-', "_").as_str()) {
        return Err(Refusal::new("a system does not come up without this module")
            .instead("look whether its file is the kernel's own: calma verify"));
    }
    let path = format!("/etc/modprobe.d/calma-{written}.conf").into();
    // blacklist only keeps it from being loaded by what it says it can do; install also when it is asked for by name
    // (modprobe.d(5)).
    let text = format!(
        "# Put here by calma: this module was found in an incident.\nblacklist {written}\ninstall {written} /bin/false\n"
    );
    fresh::prepare(looking, &path, text.as_bytes())
}

fn is_loaded(looking: &Looking<'_>, name: &Text) -> bool {
    let modules = looking.host.tree().read(b"/proc/modules", 4 << 20).map(|content| content.bytes);
    let same = |b: &u8| if *b == b'-' { b'_' } else { *b };
    let wanted: Vec<u8> = name.as_bytes().iter().map(same).collect();
    modules
        .unwrap_or_default()
        .split(|b| *b == b'\n')
        .any(|line| line.split(|b| *b == b' ').next() == Some(&wanted))
}
