//! Collector: commands that agents and daemons run for somebody who asks or writes to them.

use crate::area::{Area, Found};
use crate::startup::{Mechanism, Who};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::agent_commands::{self as parse, Served};
use calma_formats::init_jobs::Command;
use calma_host::join;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "agent-commands",
        doing: "Looking at what loggers, monitors and other agents run",
        doc: "commands of loggers, monitoring agents, super-servers, and daemons with hooks",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(30),
    },
    collect,
};

const WHAT: &str = "settings of loggers and monitoring agents";
const REMOTE: Area = Area("agent setting");

/// How one file form is read.
#[derive(Clone, Copy)]
enum Read {
    /// Commands that run as the agent.
    Plain(fn(&[u8]) -> Vec<Command>),
    /// Commands with their account.
    Served(fn(&[u8]) -> Vec<Served>),
    /// Values of these names.
    Keyed(&'static [&'static str]),
    /// One command at most.
    One(fn(&[u8]) -> Option<Command>),
}

/// Which files, how, and what runs them.
const FILES: &[(&[&str], Read, Mechanism)] = &[
    (
        &["/etc/rsyslog.conf", "/etc/rsyslog.d/*"],
        Read::Plain(parse::rsyslog),
        Mechanism { name: "agent: rsyslog", when: "for what is logged" },
    ),
    (
        &["/etc/syslog-ng/*.conf", "/etc/syslog-ng/conf.d/*"],
        Read::Plain(parse::syslog_ng),
        Mechanism { name: "agent: syslog-ng", when: "for what is logged" },
    ),
    (
        &["/etc/audit/plugins.d/*.conf", "/etc/audisp/plugins.d/*.conf"],
        Read::One(parse::audit_plugin),
        Mechanism { name: "agent: the audit daemon", when: "for what is audited" },
    ),
    (
        &["/etc/audit/auditd.conf", "/etc/audisp/audispd.conf"],
        Read::Keyed(&["dispatcher"]),
        Mechanism { name: "agent: the audit daemon", when: "for what is audited" },
    ),
    (
        &["/etc/snmp/*.conf", "/etc/snmp/*.conf.d/*", "/usr/share/snmp/*.conf", "/var/lib/snmp/*.conf"],
        Read::Plain(parse::snmp),
        Mechanism { name: "agent: snmpd", when: "when somebody asks over the network" },
    ),
    (
        &["/etc/zabbix/*.conf", "/etc/zabbix/*.d/*.conf", "/etc/zabbix/*.d/*/*.conf"],
        Read::Keyed(&["UserParameter", "LoadModule"]),
        Mechanism { name: "agent: Zabbix", when: "when the monitoring server asks" },
    ),
    (
        &["/etc/nagios/nrpe.cfg", "/etc/nagios/*.cfg", "/etc/nagios/nrpe.d/*.cfg", "/etc/nrpe.d/*.cfg"],
        Read::Keyed(&["command", "command_line", "command_prefix"]),
        Mechanism { name: "agent: NRPE or Nagios", when: "when the monitoring server asks" },
    ),
    (
        &["/etc/telegraf/telegraf.conf", "/etc/telegraf/telegraf.d/*.conf"],
        Read::Plain(parse::telegraf),
        Mechanism { name: "agent: Telegraf", when: "every few seconds" },
    ),
    (
        &["/etc/collectd.conf", "/etc/collectd/*.conf", "/etc/collectd/*.d/*", "/etc/collectd.d/*"],
        Read::Served(parse::collectd),
        Mechanism { name: "agent: collectd", when: "every few seconds" },
    ),
    (
        &[
            "/etc/monitrc",
            "/etc/monit/monitrc",
            "/etc/monit/*.d/*",
            "/etc/monit/conf-enabled/*",
            "/etc/monit.d/*",
        ],
        Read::Plain(parse::monit),
        Mechanism { name: "agent: Monit", when: "when a check fails, or every few minutes" },
    ),
    (
        &[
            "/etc/fail2ban/action.d/*.conf",
            "/etc/fail2ban/action.d/*.local",
            "/etc/fail2ban/jail.local",
            "/etc/fail2ban/jail.d/*",
        ],
        Read::Plain(parse::fail2ban),
        Mechanism { name: "agent: fail2ban", when: "when an address is banned" },
    ),
    (
        &["/etc/inetd.conf", "/etc/inetd.conf.d/*"],
        Read::Served(parse::inetd),
        Mechanism { name: "agent: inetd", when: "when somebody connects" },
    ),
    (
        &["/etc/xinetd.conf", "/etc/xinetd.d/*"],
        Read::Served(parse::xinetd),
        Mechanism { name: "agent: xinetd", when: "when somebody connects" },
    ),
    (
        &["/etc/openvpn/*.conf", "/etc/openvpn/*/*.conf", "/etc/openvpn/*.ovpn"],
        Read::Keyed(&[
            "up",
            "down",
            "route-up",
            "route-pre-down",
            "ipchange",
            "client-connect",
            "client-disconnect",
            "learn-address",
            "auth-user-pass-verify",
            "tls-verify",
            "plugin",
        ]),
        Mechanism { name: "agent: OpenVPN", when: "when the tunnel or a client of it comes or goes" },
    ),
    (
        &["/etc/wireguard/*.conf"],
        Read::Keyed(&["PreUp", "PostUp", "PreDown", "PostDown"]),
        Mechanism { name: "agent: WireGuard", when: "when the tunnel comes or goes" },
    ),
    (
        &["/etc/ipsec.conf", "/etc/ipsec.d/*.conf", "/etc/swanctl/*.conf", "/etc/swanctl/conf.d/*.conf"],
        Read::Keyed(&["leftupdown", "rightupdown", "updown"]),
        Mechanism { name: "agent: IPsec", when: "when a tunnel comes or goes" },
    ),
    (
        &["/etc/keepalived/*.conf", "/etc/keepalived/conf.d/*.conf"],
        Read::Keyed(&["script", "notify", "notify_master", "notify_backup", "notify_fault", "notify_stop"]),
        Mechanism { name: "agent: keepalived", when: "every few seconds, or when it takes over" },
    ),
    (
        &["/etc/samba/*.conf"],
        Read::Keyed(&[]),
        Mechanism { name: "agent: Samba", when: "when somebody connects" },
    ),
    (
        &["/etc/dnsmasq.conf", "/etc/dnsmasq.d/*"],
        Read::Keyed(&["dhcp-script", "dhcp-luascript"]),
        Mechanism { name: "agent: dnsmasq", when: "when a machine asks for an address" },
    ),
    (
        &["/etc/nut/*.conf", "/etc/ups/*.conf"],
        Read::Keyed(&["NOTIFYCMD", "SHUTDOWNCMD", "CMDSCRIPT"]),
        Mechanism { name: "agent: the power supply's monitor", when: "when the power changes" },
    ),
    (
        &["/etc/mdadm/mdadm.conf", "/etc/mdadm.conf", "/etc/mdadm/mdadm.conf.d/*"],
        Read::Keyed(&["PROGRAM"]),
        Mechanism { name: "agent: mdadm", when: "when an array changes" },
    ),
    (
        &["/etc/acpi/events/*"],
        Read::Keyed(&["action"]),
        Mechanism { name: "agent: acpid", when: "when a button is pressed or the power changes" },
    ),
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    for (patterns, how, mechanism) in FILES {
        for pattern in *patterns {
            for path in settings::glob(tree, pattern.as_bytes()) {
                file(context, &path, *how, *mechanism, &Who::root(), out)?;
            }
        }
    }
    for home in settings::homes(context) {
        let snmp = Mechanism { name: "agent: snmpd", when: "when somebody asks over the network" };
        let path = join(&home.path, b".snmp/snmpd.conf");
        file(context, &path, Read::Plain(parse::snmp), snmp, &Who::of(&home), out)?;
    }
    let munin = Mechanism { name: "agent: Munin", when: "every few minutes" };
    for path in settings::glob(tree, b"/etc/munin/plugins/*") {
        munin.program_as(context, &path, &Who::root(), out)?;
    }
    incron(context, out)?;
    remote(context, out)
}

fn file(context: &Context, path: &[u8], how: Read, mechanism: Mechanism, who: &Who, out: &mut Out) -> Flow {
    let directory =
        context.host.tree().meta(path).is_ok_and(|meta| meta.kind == calma_host::FileKind::Directory);
    if directory {
        return out.flow();
    }
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    let commands = match how {
        Read::Plain(read) => read(&bytes),
        Read::Keyed([]) => samba(&bytes),
        Read::Keyed(names) => parse::keyed(&bytes, names),
        Read::One(read) => read(&bytes).into_iter().collect(),
        Read::Served(read) => {
            for Served { line, command, user } in read(&bytes) {
                let who = Who::named(context, user.as_bytes());
                mechanism.command_as(context, path, line, command.as_bytes(), &who, out)?;
            }
            Vec::new()
        }
    };
    for Command { line, command } in commands {
        mechanism.command_as(context, path, line, command.as_bytes(), who, out)?;
    }
    out.flow()
}

/// Commands of smb.conf(5), whose names have blanks.
fn samba(bytes: &[u8]) -> Vec<Command> {
    let runs = [
        "preexec",
        "exec",
        "postexec",
        "rootpreexec",
        "rootpostexec",
        "magicscript",
        "usernamemapscript",
        "printcommand",
        "lpqcommand",
        "lprmcommand",
        "adduserscript",
        "addmachinescript",
        "deleteuserscript",
        "addsharecommand",
        "deletesharecommand",
        "paniccommand",
        "panicaction",
        "checkpasswordscript",
        "messagecommand",
        "dfreecommand",
        "getquotacommand",
        "setquotacommand",
        "shutdownscript",
        "logonscript",
        "preopen:command",
        "wtmpdirectorycommand",
    ];
    calma_formats::lines::meaningful(bytes)
        .filter_map(|(line, text)| {
            let (name, value) = calma_formats::lines::cut(text, b'=')?;
            let name: Vec<u8> = name.iter().filter(|b| **b != b' ').map(u8::to_ascii_lowercase).collect();
            let known = runs.iter().any(|run| name == run.as_bytes()) && !value.is_empty();
            known.then(|| Command { line, command: value.into() })
        })
        .collect()
}

/// Tables of incron: a path, what happens to it, a command (incrontab(5)).
fn incron(context: &Context, out: &mut Out) -> Flow {
    let how = Mechanism { name: "agent: incron", when: "when a file changes" };
    for (pattern, system) in [(&b"/etc/incron.d/*"[..], true), (b"/var/spool/incron/*", false)] {
        for path in settings::glob(context.host.tree(), pattern) {
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
            let who = if system { Who::root() } else { Who::named(context, name) };
            for (line, text) in calma_formats::lines::meaningful(&bytes) {
                let mut fields = text.splitn(3, |b| matches!(b, b' ' | b'\t'));
                let command = fields.nth(2);
                how.command_as(context, &path, line, command.unwrap_or_default().trim_ascii(), &who, out)?;
            }
        }
    }
    out.flow()
}

/// Settings that let somebody elsewhere send commands.
fn remote(context: &Context, out: &mut Out) -> Flow {
    let names = [
        "AllowKey",
        "EnableRemoteCommands",
        "dont_blame_nrpe",
        "AllowRoot",
        "logcollector.remote_commands",
        "wazuh_command.remote_commands",
    ];
    for pattern in [
        &b"/etc/zabbix/*.conf"[..],
        b"/etc/zabbix/*.d/*.conf",
        b"/etc/nagios/nrpe.cfg",
        b"/etc/nagios/nrpe_local.cfg",
        b"/etc/nagios/nrpe.d/*.cfg",
        b"/var/ossec/etc/local_internal_options.conf",
    ] {
        for path in settings::glob(context.host.tree(), pattern) {
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for name in names {
                for found in parse::keyed(&bytes, &[name]) {
                    let (name, value) = (name.as_bytes(), found.command.as_bytes());
                    REMOTE.put(context, &path, &Found { line: found.line, name, value, whom: b"" }, out)?;
                }
            }
        }
    }
    out.flow()
}
