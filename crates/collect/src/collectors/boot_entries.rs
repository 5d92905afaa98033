//! Collector: what the boot loader starts: kernels, initial file systems, command lines.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, settings, startup};
use calma_formats::boot_entries::{self, Entry};
use calma_host::{FileKind, join};
use calma_record::{Source, Text, kinds};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "boot-entries",
        doing: "Looking at what is started at boot",
        doc: "entries of the boot loader, the settings they are made from, and the running kernel's command line",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "entries and settings of the boot loader";

type Parse = fn(&[u8]) -> Vec<Entry>;

fn whole(bytes: &[u8]) -> Vec<Entry> {
    vec![Entry { line: 1, options: boot_entries::words(bytes), ..Entry::default() }]
}

fn specification(bytes: &[u8]) -> Vec<Entry> {
    boot_entries::specification(bytes).into_iter().collect()
}

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let places: &[(&str, Parse, &[&[u8]])] = &[
        (
            "menu",
            boot_entries::grub,
            &[b"/boot/grub*/*.cfg", b"/boot/efi/EFI/*/*.cfg", b"/efi/EFI/*/*.cfg", b"/boot/EFI/*/*.cfg"],
        ),
        (
            "menu",
            specification,
            &[
                b"/boot/loader/entries/*.conf",
                b"/boot/efi/loader/entries/*.conf",
                b"/efi/loader/entries/*.conf",
            ],
        ),
        (
            "menu",
            boot_entries::extlinux,
            &[b"/boot/extlinux/extlinux.conf", b"/boot/syslinux/*.cfg", b"/extlinux.conf"],
        ),
        (
            "setting",
            boot_entries::settings,
            &[
                b"/etc/default/grub",
                b"/etc/default/grub.d/*.cfg",
                b"/etc/sysconfig/grub",
                b"/boot/grub*/grubenv",
                b"/etc/zipl.conf",
            ],
        ),
        (
            "setting",
            whole,
            &[
                b"/etc/kernel/cmdline",
                b"/usr/lib/kernel/cmdline",
                b"/etc/kernel/cmdline.d/*.conf",
                b"/etc/cmdline.d/*.conf",
                b"/boot/cmdline.txt",
                b"/boot/firmware/cmdline.txt",
            ],
        ),
    ];
    for (what, parse, patterns) in places {
        for path in startup::files(context, patterns) {
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            settings::describe_place(context, &path, out)?;
            for entry in parse(&bytes) {
                put(context, &path, what, entry, out)?;
            }
        }
    }
    if let Ok(content) = context.host.tree().read(b"/proc/cmdline", 64 << 10) {
        let options = boot_entries::words(&content.bytes);
        let path = Text::from("/proc/cmdline");
        let fact = kinds::BootEntry {
            path: path.clone(),
            line: 1,
            what: "running".to_owned(),
            options,
            ..kinds::BootEntry::default()
        };
        describe_options(context, &fact, out)?;
        out.fact(Source::proc(path), fact)?;
    }
    out.flow()
}

fn put(context: &Context, path: &[u8], what: &str, entry: Entry, out: &mut Out) -> Flow {
    let kernel_file = entry.kernel.as_ref().and_then(|kernel| file(context, kernel));
    let initrd_files: Vec<Text> = entry.initrds.iter().filter_map(|image| file(context, image)).collect();
    for found in kernel_file.iter().chain(&initrd_files) {
        describe::outline(context, found.as_bytes(), out)?;
    }
    let fact = kinds::BootEntry {
        path: path.into(),
        line: entry.line,
        what: what.to_owned(),
        title: entry.title,
        kernel: entry.kernel,
        kernel_file,
        initrds: entry.initrds,
        initrd_files,
        options: entry.options,
    };
    describe_options(context, &fact, out)?;
    out.fact(Source::file(path), fact)
}

/// Programs that options name.
fn describe_options(context: &Context, entry: &kinds::BootEntry, out: &mut Out) -> Flow {
    for option in &entry.options {
        let value = option.as_bytes().splitn(2, |b| *b == b'=').nth(1).unwrap_or_default();
        if value.starts_with(b"/") || option.as_bytes().starts_with(b"systemd.run=") {
            describe::command(context, value, out)?;
        }
    }
    out.flow()
}

/// A boot loader's name of a file as a path of the system: it may be written from the root of /boot's own file system, and
/// after the name of a device.
fn file(context: &Context, name: &Text) -> Option<Text> {
    let name = name.as_bytes();
    let path = match name.iter().position(|b| *b == b')') {
        Some(at) if name.starts_with(b"(") => name.get(at + 1..)?,
        _ => name,
    };
    if !path.starts_with(b"/") || path.len() < 2 {
        return None;
    }
    let tree = context.host.tree();
    [&b""[..], b"/boot", b"/boot/efi", b"/efi"]
        .iter()
        .map(|above| join(above, path.get(1..).unwrap_or_default()))
        .map(|path| if path.starts_with(b"/") { path } else { join(b"/", &path) })
        .find(|path| tree.meta_followed(path).is_ok_and(|meta| meta.kind == FileKind::File))
        .map(Text::from)
}
