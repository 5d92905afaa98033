//! Collector: extensions of the system, and portable services with what they may see of it.

use crate::area::{Area, Found};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, settings};
use calma_formats::unit;
use calma_host::{FileKind, join, parent};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "extensions",
        doing: "Looking at extensions of the system and portable services",
        doc: "what extensions lay over the system (systemd-sysext(8)), and what portable services may see of it (portablectl(1))",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(10),
    },
    collect,
};

const WHAT: &str = "extensions of the system and portable services";
const EXTENSION: Area = Area("extension");
const PORTABLE: Area = Area("portable");

const ROOTS: &[&[u8]] = &[
    b"/var/lib/confexts",
    b"/run/confexts",
    b"/usr/lib/confexts",
    b"/usr/local/lib/confexts",
    b"/etc/extensions",
    b"/run/extensions",
    b"/var/lib/extensions",
    b"/usr/lib/extensions",
    b"/usr/local/lib/extensions",
];
/// What starts by itself or decides who may do what, in an extension.
const STARTS: &[&[u8]] = &[
    b"systemd/system/*",
    b"systemd/system/*.d/*",
    b"systemd/user/*",
    b"systemd/system-generators/*",
    b"systemd/system/*.wants/*",
    b"cron.d/*",
    b"cron.daily/*",
    b"cron.hourly/*",
    b"crontab",
    b"ld.so.preload",
    b"ld.so.conf.d/*",
    b"sudoers.d/*",
    b"sudoers",
    b"pam.d/*",
    b"profile.d/*",
    b"passwd",
    b"shadow",
    b"ssh/sshd_config*",
    b"ssh/sshd_config.d/*",
    b"udev/rules.d/*",
    b"tmpfiles.d/*",
    b"init.d/*",
    b"rc.local",
    b"modules-load.d/*",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    for root in ROOTS {
        for one in [&b"*"[..], b".*"].iter().flat_map(|name| settings::glob(tree, &join(root, name))) {
            if one.ends_with(b"/.") || one.ends_with(b"/..") {
                continue;
            }
            for top in [&b"etc"[..], b"usr/lib"] {
                for path in
                    STARTS.iter().flat_map(|inner| settings::glob(tree, &join(&join(&one, top), inner)))
                {
                    extension(context, &one, &path, out)?;
                }
            }
        }
    }
    for root in [&b"/etc/systemd/system.attached"[..], b"/run/systemd/system.attached"] {
        for pattern in [&b"*.service"[..], b"*.service.d/*.conf"] {
            for path in settings::glob(tree, &join(root, pattern)) {
                portable(context, &path, out)?;
            }
        }
    }
    out.flow()
}

fn extension(context: &Context, root: &[u8], path: &[u8], out: &mut Out) -> Flow {
    let Ok(meta) = context.host.tree().meta_followed(path) else { return out.flow() };
    if meta.kind != FileKind::File {
        return out.flow();
    }
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    // Where it will stand, and what it runs there.
    let inside = path.get(root.len()..).unwrap_or_default();
    let mut commands = Vec::new();
    for setting in unit::parse(&bytes).iter().filter(|setting| setting.name.as_bytes().starts_with(b"Exec")) {
        if commands.len() < 4096 {
            commands.extend_from_slice(setting.value.as_bytes());
            commands.push(b'\n');
        }
    }
    describe::command(context, &commands, out)?;
    // A program that the extension brings itself.
    let first = commands.split(|b| matches!(b, b' ' | b'\n')).next().unwrap_or_default();
    let own = first.starts_with(b"/")
        && context.host.tree().meta(&join(root, first.get(1..).unwrap_or_default())).is_ok();
    let name: &[u8] = if own { b"brings-program" } else { b"brings" };
    let value = [inside, b" ", commands.as_slice()].concat();
    EXTENSION.put(context, path, &Found { line: 0, name, value: &value, whom: root }, out)
}

fn portable(context: &Context, path: &[u8], out: &mut Out) -> Flow {
    const OURS: &[&str] = &[
        "RootDirectory",
        "RootImage",
        "BindPaths",
        "BindReadOnlyPaths",
        "CapabilityBoundingSet",
        "AmbientCapabilities",
        "PrivateDevices",
        "PrivateUsers",
        "User",
        "MountAPIVFS",
    ];
    if !context.host.tree().meta_followed(path).is_ok_and(|meta| meta.kind == FileKind::File) {
        return out.flow();
    }
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    let unit = parent(path);
    let unit = unit.strip_suffix(b".d").unwrap_or(path);
    for setting in unit::parse(&bytes) {
        if setting.name.as_str().is_some_and(|name| OURS.contains(&name)) {
            let found =
                Found { line: 0, name: setting.name.as_bytes(), value: setting.value.as_bytes(), whom: unit };
            PORTABLE.put(context, path, &found, out)?;
        }
    }
    PORTABLE.put(context, path, &Found { line: 0, name: b"unit", value: b"", whom: unit }, out)
}
