//! Logs that leave the host: evidence that stops flowing.

use super::sight::holds;
use super::{Concern, Known, Sight, Weight, running};

const CONSEQUENCE: &str = "what is logged from now on stays here, in the intruder's reach; what was waiting to be sent may be lost when its queue is full";
const OUTSIDE: &str = "note on the log server the time of the last line; calma keeps the local logs (calma triage) before the cut";

const TABLE: &[Known] = &[Known {
    programs: &[
        "filebeat",
        "fluent-bit",
        "fluentd",
        "td-agent",
        "vector",
        "promtail",
        "alloy",
        "splunkd",
        "nxlog",
        "systemd-journal-upload",
        "logstash",
        "wazuh-agentd",
        "audisp-remote",
        "otelcol",
        "rsyslog-relp",
    ],
    weight: Weight::Note,
    what: "logs are sent to another machine",
    consequence: CONSEQUENCE,
    outside: OUTSIDE,
}];

pub(super) fn check(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    running(sight, TABLE, concerns);
    let files = sight
        .file("/etc/rsyslog.conf")
        .map(|bytes| ("/etc/rsyslog.conf".to_owned(), bytes))
        .into_iter()
        .chain(sight.files("/etc/rsyslog.d", ".conf"))
        .chain(sight.files("/etc/syslog-ng", ".conf"))
        .chain(sight.files("/etc/syslog-ng/conf.d", ".conf"));
    for (path, bytes) in files {
        if bytes.split(|byte| *byte == b'\n').any(sends) {
            concerns.push(Concern::new(
                Weight::Note,
                "logs are sent to another machine",
                path,
                CONSEQUENCE,
                OUTSIDE,
            ));
            return;
        }
    }
}

/// Whether a line of rsyslog.conf(5) or syslog-ng.conf(5) sends what is logged over the network.
fn sends(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    if line.starts_with(b"#") {
        return false;
    }
    let action = line.split(|byte| byte.is_ascii_whitespace()).next_back().unwrap_or_default();
    // `*.* @host` and `*.* @@host:514`; an action's module; a destination's driver.
    (action.starts_with(b"@") && action.len() > 1 && line.len() > action.len())
        || ["omfwd", "omrelp", "omelasticsearch", "omkafka"]
            .iter()
            .any(|module| holds(line, "action(") && holds(line, module))
        || (holds(line, "destination")
            && ["network(", "tcp(", "udp(", "syslog("].iter().any(|driver| holds(line, driver)))
}

#[cfg(test)]
mod tests {
    use crate::preflight::tests::{process, table};
    use calma_host::Mem;

    #[test]
    fn logs_that_leave_are_known() {
        let rsyslog = |text: &str| Mem::running().file("/etc/rsyslog.d/50.conf", text);
        table(vec![
            (rsyslog("*.*  @@logs.example.org:6514\n"), &["sent to another machine", "50.conf"]),
            (rsyslog("#*.*  @@logs.example.org:6514\n"), &[]),
            (rsyslog("*.* action(type=\"omfwd\" target=\"192.0.2.7\")\n"), &["another machine"]),
            (rsyslog("*.* action(type=\"omfile\" file=\"/var/log/a\")\n"), &[]),
            (rsyslog("mail.* -/var/log/mail.log\n$template t,\"%HOSTNAME%@x\"\n"), &[]),
            (
                Mem::running().file(
                    "/etc/syslog-ng/conf.d/a.conf",
                    "destination d { network(\"192.0.2.7\" port(514)); };\n",
                ),
                &["another machine"],
            ),
            (process(Mem::running(), 4, "/usr/bin/filebeat", &[]), &["another machine"]),
        ]);
    }
}
