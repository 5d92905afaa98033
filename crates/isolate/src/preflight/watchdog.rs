//! Watchdogs: what restarts a service that is frozen, or the machine that does not answer.

use super::{Concern, Sight, Weight};
use calma_formats::unit;
use calma_record::Text;

/// Where units stand (systemd.unit(5)), the most important first.
const UNITS: &[&str] =
    &["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
/// Where a running unit has a control group, with the older layouts.
const GROUPS: &[&str] = &[
    "/sys/fs/cgroup/system.slice",
    "/sys/fs/cgroup/unified/system.slice",
    "/sys/fs/cgroup/systemd/system.slice",
];
/// Units named one by one.
const NAMED: usize = 8;

pub(super) fn check(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    services(sight, concerns);
    let before = concerns.len();
    manager(sight, concerns);
    daemon(sight, concerns);
    if concerns.len() == before {
        armed(sight, concerns);
    }
}

/// A watchdog device that is armed, though nobody known feeds it (`<linux/watchdog.h>`, sysfs `state`).
fn armed(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    for name in sight.names("/sys/class/watchdog") {
        let place = format!("/sys/class/watchdog/{name}/state");
        if sight.word(&place) == "active" {
            concerns.push(Concern::new(
                Weight::Breaks,
                "the machine's watchdog is armed, and it is not known by which program",
                place,
                "if that program is frozen or killed, the machine is reset: memory and running processes are gone",
                "find out who holds /dev/watchdog before anything is frozen",
            ));
            return;
        }
    }
}

/// Running services that must say every few seconds that they live.
fn services(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    let mut running: Vec<String> = GROUPS
        .iter()
        .flat_map(|group| sight.names(group))
        .filter_map(|name| Some(name.as_str()?.to_owned()))
        // The service manager's own services are never suspects to be frozen by name, and all of them have one.
        .filter(|name| name.ends_with(".service") && !name.starts_with("systemd-"))
        .collect();
    running.sort();
    running.dedup();
    let mut watched = Vec::new();
    for name in running {
        if let Some((path, seconds)) = UNITS.iter().find_map(|folder| watchdog_of(sight, folder, &name)) {
            watched.push((name, path, seconds));
        }
    }
    let Some((_, place, _)) = watched.first().cloned() else { return };
    let more = watched.len().saturating_sub(NAMED);
    let mut names: Vec<String> = watched
        .iter()
        .take(NAMED)
        .map(|(name, _, seconds)| format!("{} ({})", Text::from(name.as_str()), Text::from(seconds.as_str())))
        .collect();
    if more > 0 {
        names.push(format!("{more} others"));
    }
    concerns.push(Concern::new(
        Weight::Breaks,
        format!("services are watched by the service manager: {}", names.join(", ")),
        place,
        "one that is frozen longer than its time is killed and started anew: its memory is lost as evidence",
        "nothing outside; keep its memory before it is frozen (calma contain does), or do not freeze it",
    ));
}

/// The watchdog time of a unit in a folder, with its drop-ins.
fn watchdog_of(sight: &Sight<'_>, folder: &str, name: &str) -> Option<(String, String)> {
    let path = format!("{folder}/{name}");
    let own = sight.file(&path).map(|bytes| (path.clone(), bytes));
    let dropped = sight.files(&format!("{path}.d"), ".conf");
    let mut last = None;
    for (path, bytes) in own.into_iter().chain(dropped) {
        for setting in unit::parse(&bytes) {
            if setting.section == "Service" && setting.name == "WatchdogSec" {
                last = Some((path.clone(), setting.value.to_string()));
            }
        }
    }
    last.filter(|(_, value)| is_set(value))
}

/// Whether a time is one.
fn is_set(value: &str) -> bool {
    let value = value.trim();
    !value.is_empty() && !matches!(value, "0" | "0s" | "off" | "infinity")
}

/// The machine's own watchdog, fed by the service manager (systemd-system.conf(5)).
fn manager(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    let mut files = vec!["/etc/systemd/system.conf".to_owned()];
    for folder in
        ["/usr/lib/systemd/system.conf.d", "/run/systemd/system.conf.d", "/etc/systemd/system.conf.d"]
    {
        files.extend(sight.files(folder, ".conf").into_iter().map(|(path, _)| path));
    }
    let mut set = None;
    for path in files {
        for setting in unit::parse(&sight.file(&path).unwrap_or_default()) {
            if setting.name == "RuntimeWatchdogSec" {
                set = Some((path.clone(), setting.value.to_string()));
            }
        }
    }
    if let Some((path, value)) = set.filter(|(_, value)| is_set(value)) {
        concerns.push(Concern::new(
            Weight::Note,
            format!("the service manager feeds the machine's watchdog (every {})", Text::from(value.as_str())),
            path,
            "if the service manager itself stands still, the machine is reset; cutting the network alone does not do that",
            "nothing, as long as process 1 is not frozen",
        ));
    }
}

/// watchdog(8): it may reset the machine when a neighbour no longer answers.
fn daemon(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    let Some(process) = sight.running.iter().find(|process| process.is(&["watchdog", "wd_keepalive"])) else {
        return;
    };
    let settings = sight.file("/etc/watchdog.conf").unwrap_or_default();
    let needs_network = settings.split(|byte| *byte == b'\n').any(|line| {
        let name = line.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        line.contains(&b'=') && (name == b"ping" || name == b"interface")
    });
    if needs_network {
        concerns.push(Concern::new(
            Weight::Destroys,
            "a watchdog resets this machine when the network does not answer",
            "/etc/watchdog.conf",
            "within a minute of being cut off the machine is reset: memory and running processes are gone",
            "stop the watchdog in order before cutting (systemctl stop watchdog, which closes the device)",
        ));
    } else {
        concerns.push(Concern::new(
            Weight::Note,
            "a watchdog daemon runs",
            format!("pid {}", process.pid),
            "if it is frozen, the machine is reset",
            "do not freeze it",
        ));
    }
}

#[cfg(test)]
mod tests {
    use crate::preflight::tests::{process, table};
    use calma_host::Mem;

    #[test]
    fn watched_services_count_while_they_run_and_a_watchdog_that_pings_is_heavy() {
        let unit = |text: &str| Mem::running().file("/lib/systemd/system/app.service", text);
        let watched = "[Service]\nExecStart=/app\nWatchdogSec=30\n";
        let runs = |mem: Mem| mem.directory("/sys/fs/cgroup/system.slice/app.service");
        let daemon = |text: &str| {
            process(Mem::running().file("/etc/watchdog.conf", text), 4, "/usr/sbin/watchdog", &[])
        };
        table(vec![
            (runs(unit(watched)), &["Breaks", "app.service (30)", "/lib/systemd/system/app.service"]),
            (unit(watched), &[]),
            (runs(unit("[Service]\nWatchdogSec=0\n")), &[]),
            (
                runs(
                    unit("[Service]\n")
                        .file("/etc/systemd/system/app.service.d/w.conf", "[Service]\nWatchdogSec=1min\n"),
                ),
                &["1min"],
            ),
            (
                Mem::running()
                    .file("/lib/systemd/system/systemd-logind.service", watched)
                    .directory("/sys/fs/cgroup/system.slice/systemd-logind.service"),
                &[],
            ),
            (
                Mem::running().file("/etc/systemd/system.conf", "[Manager]\nRuntimeWatchdogSec=20s\n"),
                &["Note", "20s"],
            ),
            (Mem::running().file("/etc/systemd/system.conf", "[Manager]\nRuntimeWatchdogSec=off\n"), &[]),
            (
                Mem::running().file("/sys/class/watchdog/watchdog0/state", "active\n"),
                &["not known by which program"],
            ),
            (Mem::running().file("/sys/class/watchdog/watchdog0/state", "inactive\n"), &[]),
            (daemon("ping = 192.0.2.1\n"), &["Destroys", "reset"]),
            (daemon("#ping = 192.0.2.1\nwatchdog-device = /dev/watchdog\n"), &["Note", "do not freeze it"]),
        ]);
    }
}
