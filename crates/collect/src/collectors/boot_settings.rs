//! Collector: settings that the kernel and its protection are given at boot.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, settings, startup};
use calma_formats::{kernel_hooks, sysctl};
use calma_record::{Source, Text, kinds};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "boot-settings",
        doing: "Looking at settings the kernel gets at boot",
        doc: "programs that sysctl.d and binfmt.d have the kernel run, and how SELinux is to start",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "settings the kernel gets at boot";
const SYSCTL: &[&[u8]] = &[
    b"/etc/sysctl.conf",
    b"/etc/sysctl.d/*.conf",
    b"/run/sysctl.d/*.conf",
    b"/usr/local/lib/sysctl.d/*.conf",
    b"/usr/lib/sysctl.d/*.conf",
    b"/lib/sysctl.d/*.conf",
    b"/boot/sysctl.conf-*",
];
const FORMATS: &[&[u8]] = &[
    b"/etc/binfmt.d/*.conf",
    b"/run/binfmt.d/*.conf",
    b"/usr/local/lib/binfmt.d/*.conf",
    b"/usr/lib/binfmt.d/*.conf",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    for path in startup::files(context, SYSCTL) {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        for (_, name, value) in sysctl::assignments(&bytes) {
            let pattern = name == "kernel.core_pattern" && value.as_bytes().starts_with(b"|");
            let helper = ["kernel.modprobe", "kernel.hotplug", "kernel.poweroff_cmd"]
                .iter()
                .any(|known| name == *known);
            if !pattern && !helper {
                continue;
            }
            let runs = kernel_hooks::helper(value.as_bytes()).map(Text::from);
            let command = value.as_bytes().strip_prefix(b"|").unwrap_or(value.as_bytes()).to_vec();
            describe::command(context, &command, out)?;
            let name = [name.as_bytes(), b" at boot"].concat();
            put(name, value, &path, runs, out)?;
        }
    }
    for path in startup::files(context, FORMATS) {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        for format in sysctl::binary_formats(&bytes) {
            describe::file(context, format.interpreter.as_bytes(), out)?;
            let matching: &[u8] = if format.by_magic { b"magic " } else { b"extension ." };
            let digits = hexadecimal(format.matching.as_bytes());
            let matching =
                [matching, if format.by_magic { digits.as_bytes() } else { format.matching.as_bytes() }]
                    .concat();
            // The same words as the kernel's own file of a format has.
            let value = [
                b"enabled\ninterpreter ",
                format.interpreter.as_bytes(),
                b"\nflags: ",
                format.flags.as_bytes(),
                b"\n",
                &matching,
            ]
            .concat();
            let name = [b"binfmt_misc.", format.name.as_bytes(), b" at boot"].concat();
            put(name, value.into(), &path, Some(format.interpreter), out)?;
        }
    }
    if let Some(bytes) = settings::read(context, b"/etc/selinux/config", WHAT, out)? {
        for (_, _, value) in sysctl::assignments(&bytes).into_iter().filter(|(_, name, _)| *name == "SELINUX")
        {
            put(b"selinux.configured".to_vec(), value, b"/etc/selinux/config", None, out)?;
        }
    }
    out.flow()
}

/// `\x7fELF` as the digits of its bytes.
fn hexadecimal(written: &[u8]) -> String {
    let (mut digits, mut bytes) = (String::new(), written.iter().copied());
    while let Some(byte) = bytes.next() {
        if byte == b'\\' {
            let _ = bytes.next();
            let two: Vec<u8> = bytes.by_ref().take(2).collect();
            digits.push_str(&String::from_utf8_lossy(&two));
        } else {
            digits.push_str(&format!("{byte:02x}"));
        }
    }
    digits
}

fn put(name: Vec<u8>, value: Text, path: &[u8], runs: Option<Text>, out: &mut Out) -> Flow {
    let fact = kinds::KernelSetting { name: name.into(), value, path: path.into(), runs };
    out.fact(Source::file(path), fact)
}
