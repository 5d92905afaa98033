//! Collector: scripts that cloud-init and guest agents run for whoever rules the machine from outside.

use crate::startup::{Mechanism, Who};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::{agent_commands, cloud_init};
use calma_record::Gap;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "cloud-scripts",
        doing: "Looking at what the cloud's agents run",
        doc: "scripts and commands of cloud-init, and of guest agents of clouds and hypervisors",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(30),
    },
    collect,
};

const WHAT: &str = "settings of cloud-init and guest agents";
const BOOT: Mechanism = Mechanism { name: "cloud script", when: "at every boot" };
const FIRST: Mechanism = Mechanism { name: "cloud first boot", when: "at the first boot of the machine" };
const AGENT: Mechanism = Mechanism { name: "guest agent", when: "when the cloud or the hypervisor asks" };

/// Scripts run at every boot; at the first.
const EACH: &[&[u8]] = &[b"/var/lib/cloud/scripts/per-boot/*"];
const ONCE: &[&[u8]] = &[
    b"/var/lib/cloud/scripts/per-once/*",
    b"/var/lib/cloud/scripts/per-instance/*",
    b"/var/lib/cloud/scripts/vendor/*",
    b"/var/lib/cloud/instances/*/scripts/*",
    b"/var/lib/cloud/instances/*/scripts/*/*",
];
/// What the machine was told by its cloud.
const DATA: &[&[u8]] = &[
    b"/var/lib/cloud/instances/*/user-data.txt",
    b"/var/lib/cloud/instances/*/vendor-data.txt",
    b"/var/lib/cloud/instances/*/vendor-data2.txt",
    b"/var/lib/cloud/instances/*/cloud-config.txt",
    b"/var/lib/cloud/instances/*/boothooks/*",
    b"/var/lib/cloud/seed/*/user-data",
    b"/var/lib/cloud/seed/*/vendor-data",
];
/// Settings that every boot reads.
const CONFIG: &[&[u8]] =
    &[b"/etc/cloud/cloud.cfg", b"/etc/cloud/cloud.cfg.d/*.cfg", b"/run/cloud-init/cloud.cfg"];
/// Programs that guest agents run: of QEMU, VMware, Azure, Amazon, Xen.
const AGENTS: &[&[u8]] = &[
    b"/etc/qemu/fsfreeze-hook",
    b"/etc/qemu/fsfreeze-hook.d/*",
    b"/etc/qemu-ga/fsfreeze-hook",
    b"/etc/qemu-ga/fsfreeze-hook.d/*",
    b"/etc/qemu-kvm/fsfreeze-hook.d/*",
    b"/etc/vmware-tools/*-default",
    b"/etc/vmware-tools/scripts/*/*",
    b"/etc/vmware-tools/*-vm-default.d/*",
    b"/var/lib/waagent/custom-script/download/*/*",
    b"/var/lib/waagent/*/bin/*.sh",
    b"/var/lib/amazon/ssm/*/document/orchestration/*/*/*",
    b"/etc/xenserver/scripts/*",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    for (patterns, how) in [(EACH, BOOT), (ONCE, FIRST), (AGENTS, AGENT)] {
        for pattern in patterns {
            for path in settings::glob(tree, pattern) {
                how.program_as(context, &path, &Who::root(), out)?;
            }
        }
    }
    for (patterns, how) in [(DATA, FIRST), (CONFIG, BOOT)] {
        for pattern in patterns {
            for path in settings::glob(tree, pattern) {
                data(context, &path, how, out)?;
            }
        }
    }
    let keys: &[(&[u8], &[&str])] = &[
        (b"/etc/default/instance_configs.cfg*", &["startup-script", "shutdown-script"]),
        (b"/etc/default/instance_configs.cfg", &["startup", "shutdown"]),
        (
            b"/etc/vmware-tools/tools.conf",
            &["poweron-script", "poweroff-script", "resume-script", "suspend-script"],
        ),
        (b"/etc/qemu/qemu-ga.conf", &["fsfreeze-hook"]),
        (b"/etc/default/qemu-guest-agent", &["DAEMON_ARGS"]),
    ];
    for (pattern, names) in keys {
        for path in settings::glob(tree, pattern) {
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for found in agent_commands::keyed(&bytes, names) {
                if found.command.as_bytes().contains(&b'/') {
                    AGENT.command(context, &path, found.line, found.command.as_bytes(), out)?;
                }
            }
        }
    }
    out.flow()
}

fn data(context: &Context, path: &[u8], how: Mechanism, out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    if bytes.starts_with(b"\x1f\x8b") {
        return out.gap(
            Gap::new("what the cloud told this machine", "it is compressed; not looked into yet").at(path),
        );
    }
    for command in cloud_init::parse(&bytes) {
        // A boot command of the configuration runs each time, whatever brought it.
        how.command(context, path, command.line, command.command.as_bytes(), out)?;
    }
    out.flow()
}
