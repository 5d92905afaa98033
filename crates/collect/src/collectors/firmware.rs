//! Collector: the partition the firmware starts from, and what the firmware says of secure boot.

use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, settings, startup, walk};
use calma_formats::efi_variables;
use calma_host::{FileKind, Follow, Meta, join, resolve};
use calma_record::{Digest, Source, Text, View, kinds};
use std::collections::BTreeMap;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "firmware",
        doing: "Looking at what the firmware starts",
        doc: "programs of the EFI partition, secure boot and the owner's keys (MOK)",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "files of the EFI partition";
const LARGEST: usize = 32 << 20;
/// Packaged programs that installers copy to the partition.
const ORIGINALS: &[&[u8]] = &[
    b"/usr/lib/shim/*.efi*",
    b"/usr/lib/grub/*-signed/*.efi*",
    b"/usr/lib/grub/*/monolithic/*.efi",
    b"/usr/lib/systemd/boot/efi/*.efi*",
    b"/usr/lib/fwupd/efi/*.efi*",
    b"/usr/libexec/fwupd/efi/*.efi*",
    b"/usr/share/efi/*/*.efi",
    b"/boot/vmlinuz-*",
];
const VARIABLES: [(&str, &str); 4] = [
    ("efi.secure_boot", "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"),
    ("efi.setup_mode", "/sys/firmware/efi/efivars/SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c"),
    ("efi.shim_check_off", "/sys/firmware/efi/efivars/MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23"),
    ("efi.shim_keys_ignored", "/sys/firmware/efi/efivars/MokIgnoreDB-605dab50-e046-4300-abb6-3dd810dd8b23"),
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    partition(context, out)?;
    for (name, path) in VARIABLES {
        if let Ok(content) = context.host.tree().read(path.as_bytes(), 64)
            && let Some(value) = efi_variables::switch(&content.bytes)
        {
            setting(name, value.to_string().into(), path.as_bytes(), out)?;
        }
    }
    keys(context, out)
}

fn setting(name: &str, value: Text, path: &[u8], out: &mut Out) -> Flow {
    let fact = kinds::KernelSetting { name: name.into(), value, path: path.into(), runs: None };
    out.fact(Source::kernel(View::Sys, path), fact)
}

/// The owner's keys: how many, and which of them are the one that dkms made on this machine.
fn keys(context: &Context, out: &mut Out) -> Flow {
    let path = b"/sys/firmware/efi/efivars/MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23";
    let Ok(content) = context.host.tree().read(path, 1 << 20) else { return out.flow() };
    let own: Vec<Vec<u8>> = settings::glob(context.host.tree(), b"/var/lib/*/mok/MOK.der")
        .into_iter()
        .chain([b"/var/lib/dkms/mok.pub".to_vec()])
        .filter_map(|path| context.host.tree().read(&path, 64 << 10).ok().map(|content| content.bytes))
        .collect();
    for key in efi_variables::entries(&content.bytes) {
        let whose = if own.iter().any(|own| own == key) { "made on this machine" } else { "from elsewhere" };
        setting("efi.owner_key", format!("{} ({whose})", Digest::of(key)).into(), path, out)?;
    }
    out.flow()
}

fn partition(context: &Context, out: &mut Out) -> Flow {
    let mut files: Vec<(Vec<u8>, Option<Meta>)> = Vec::new();
    let mut walk = walk::Walk::new(context, WHAT, 20_000, out);
    for root in startup::directories(context, &[b"/boot/efi", b"/efi", b"/boot/EFI"]) {
        walk.over(&root, 10_000, out, &mut |folder, _| {
            let regular = folder.names.iter().filter(|(entry, _)| entry.kind == Some(FileKind::File));
            files.extend(
                regular.map(|(entry, meta)| (join(folder.path, entry.name.as_bytes()), meta.clone())),
            );
            Flow::Continue(())
        })?;
    }
    if files.is_empty() {
        return out.flow();
    }
    let mut originals = BTreeMap::new();
    for path in startup::files(context, ORIGINALS) {
        let real = resolve(context.host.tree(), &path).unwrap_or_else(|_| path.clone());
        if matches!(context.packages().owner(&real), Owner::Package(_))
            && let Ok(content) = context.host.tree().read(&path, LARGEST)
        {
            originals.insert(Digest::of(&content.bytes), path);
        }
    }
    for (path, meta) in files.into_iter().take(2000) {
        one(context, &path, meta, &originals, out)?;
    }
    out.flow()
}

fn one(
    context: &Context,
    path: &[u8],
    meta: Option<Meta>,
    originals: &BTreeMap<Digest, Vec<u8>>,
    out: &mut Out,
) -> Flow {
    let content = match context
        .host
        .tree()
        .open(path, Follow::No)
        .and_then(|_| context.host.tree().read(path, LARGEST))
    {
        Ok(content) => content,
        Err(error) => return out.unseen(WHAT, &error),
    };
    let bytes = content.bytes.as_slice();
    let what = match bytes {
        [b'M', b'Z', ..] => "efi",
        [0x7f, b'E', b'L', b'F', ..] => "elf",
        [b'#', b'!', ..] => "script",
        _ if !bytes.iter().take(4096).any(|b| *b == 0) => "text",
        _ => "other",
    };
    let digest = (!content.cut).then(|| Digest::of(bytes));
    let fact = kinds::EfiFile {
        path: path.into(),
        what: what.to_owned(),
        size: meta.as_ref().map_or(0, |meta| meta.size),
        modified: meta.map(|meta| meta.modified).unwrap_or_default(),
        copy_of: digest.as_ref().and_then(|digest| originals.get(digest)).map(|path| path.as_slice().into()),
        digest,
    };
    out.fact(Source::file(path), fact)
}
