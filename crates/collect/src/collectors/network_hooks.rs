//! Collector: scripts and commands that run when a network interface, a tunnel or a lease comes or goes.

use crate::startup::{self, Mechanism};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::directives;
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "network-hooks",
        doing: "Looking at what the network starts",
        doc: "scripts and commands of NetworkManager, ifupdown, DHCP clients, ppp, VPNs and their kind",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(30),
    },
    collect,
};

const WHAT: &str = "scripts that the network starts";
const HOOK: Mechanism =
    Mechanism { name: "network hook", when: "when a network interface comes up or goes down" };
/// More files than this are not followed from one to the next.
const MOST: usize = 1000;

/// Directories whose programs are run.
const PROGRAMS: &[&[u8]] = &[
    b"/etc/NetworkManager/dispatcher.d",
    b"/etc/NetworkManager/dispatcher.d/*.d",
    b"/usr/lib/NetworkManager/dispatcher.d",
    b"/usr/lib/NetworkManager/dispatcher.d/*.d",
    b"/etc/network/if-*.d",
    b"/etc/networkd-dispatcher/*.d",
    b"/usr/lib/networkd-dispatcher/*.d",
    b"/etc/ppp/*.d",
    b"/etc/ifplugd/action.d",
    b"/etc/resolvconf/update.d",
    b"/etc/resolvconf/update-libc.d",
    b"/usr/libexec/resolvconf",
    b"/etc/openvpn/update-resolv-conf.d",
    b"/etc/connman/*.d",
    b"/etc/udhcpc",
    b"/etc/vpnc/*.d",
    b"/etc/openconnect/*.d",
    b"/etc/strongswan.d/updown",
    b"/etc/netctl/hooks",
    b"/etc/netctl/interfaces",
    b"/etc/wicked/scripts",
];

/// Programs that stand alone.
const SINGLE: &[&[u8]] = &[
    b"/etc/ppp/ip*-up",
    b"/etc/ppp/ip*-down",
    b"/etc/ppp/ip*.local",
    b"/etc/ppp/ip-pre-up",
    b"/etc/ppp/auth-*",
    b"/etc/ifplugd/*.action",
    b"/etc/wpa_supplicant/*.sh",
    b"/etc/hostapd/*.sh",
    b"/etc/vpnc/vpnc-script",
    b"/sbin/dhclient-script",
    b"/etc/udhcpc/default.script",
    b"/usr/share/udhcpc/default.script",
    b"/sbin/ifup-*local",
    b"/sbin/ifdown-*local",
    b"/etc/sysconfig/network-scripts/ifup*",
    b"/etc/sysconfig/network-scripts/ifdown*",
];

/// Scripts that a shell reads, executable or not.
const SOURCED: &[&[u8]] = &[
    b"/etc/dhcp/dhclient-*-hooks",
    b"/etc/dhcp/dhclient-*-hooks.d/*",
    b"/etc/dhcp/dhclient.d/*.sh",
    b"/etc/dhcpcd.*-hook",
    b"/usr/lib/dhcpcd/dhcpcd-hooks/*",
    b"/lib/dhcpcd/dhcpcd-hooks/*",
    b"/usr/libexec/dhcpcd-hooks/*",
    b"/etc/sysconfig/network-scripts/ifcfg-*",
    b"/etc/conf.d/net",
];

/// Settings with commands in them, and the words these stand behind.
const SETTINGS: &[(&[u8], &[&[u8]])] = &[
    (
        b"/etc/network/interfaces",
        &[
            b"pre-up",
            b"up",
            b"post-up",
            b"down",
            b"pre-down",
            b"post-down",
            b"script",
            b"source",
            b"source-directory",
        ],
    ),
    (b"/etc/wireguard/*.conf", &[b"PreUp", b"PostUp", b"PreDown", b"PostDown"]),
    (b"/etc/openvpn/*.conf", OPENVPN),
    (b"/etc/openvpn/*.ovpn", OPENVPN),
    (b"/etc/openvpn/*/*.conf", OPENVPN),
    (b"/etc/dhcp/dhclient.conf", &[b"script"]),
    (b"/etc/dhclient.conf", &[b"script"]),
    (b"/etc/ppp/options*", PPP),
    (b"/etc/ppp/peers/*", PPP),
    (b"/etc/keepalived/keepalived.conf", KEEPALIVED),
    (b"/etc/keepalived/conf.d/*", KEEPALIVED),
    (b"/etc/ipsec.conf", &[b"leftupdown", b"rightupdown"]),
    (b"/etc/ipsec.d/*.conf", &[b"leftupdown", b"rightupdown"]),
    (b"/etc/swanctl/conf.d/*.conf", &[b"updown"]),
];
const OPENVPN: &[&[u8]] = &[
    b"up",
    b"down",
    b"route-up",
    b"route-pre-down",
    b"ipchange",
    b"client-connect",
    b"client-disconnect",
    b"learn-address",
    b"auth-user-pass-verify",
    b"tls-verify",
    b"tls-crypt-v2-verify",
    b"plugin",
];
const PPP: &[&[u8]] = &[b"connect", b"disconnect", b"welcome", b"pty", b"init", b"plugin"];
const KEEPALIVED: &[&[u8]] = &[
    b"notify",
    b"notify_master",
    b"notify_backup",
    b"notify_fault",
    b"notify_stop",
    b"notify_up",
    b"notify_down",
    b"script",
    b"misc_path",
    b"smtp_alert_script",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    HOOK.programs(context, PROGRAMS, WHAT, out)?;
    for path in startup::files(context, SINGLE) {
        HOOK.program(context, &path, out)?;
    }
    HOOK.scripts(context, SOURCED, WHAT, out)?;
    let tree = context.host.tree();
    let mut seen = BTreeSet::new();
    for (pattern, names) in SETTINGS {
        let mut waiting = settings::glob(tree, pattern);
        while let Some(path) = waiting.pop() {
            if seen.len() >= MOST || !seen.insert(path.clone()) {
                continue;
            }
            if tree.meta(&path).is_ok_and(|meta| meta.kind == calma_host::FileKind::Directory) {
                continue;
            }
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for directive in directives::parse(&bytes, names) {
                let value = directive.value.as_bytes();
                match directive.name.as_bytes() {
                    b"source" => waiting.extend(settings::glob(tree, &beside(&path, value))),
                    b"source-directory" => {
                        let all = calma_host::join(&beside(&path, value), b"*");
                        waiting.extend(settings::glob(tree, &all));
                    }
                    _ => HOOK.command(context, &path, directive.line, value, out)?,
                }
            }
        }
    }
    out.flow()
}

/// `name` as a path, from the directory of the file that names it.
fn beside(path: &[u8], name: &[u8]) -> Vec<u8> {
    if name.starts_with(b"/") { name.to_vec() } else { calma_host::join(calma_host::parent(path), name) }
}
