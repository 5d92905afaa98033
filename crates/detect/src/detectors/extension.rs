//! Detector: an extension lays something over the system that starts by itself, or a portable service has the whole machine.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::{Certainty, Severity, Text, kinds::SystemSetting};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "extension",
        doc: "An extension of the system (sysext, confext) brings units, jobs or rights with it, or a portable service was given the whole machine.",
        mechanisms: &[114],
        attack: &["T1543.002", "T1574"],
        why: "It is laid over /etc or /usr at boot, so that what it brings stands in no directory that people look into.",
        innocent: "you extend the system this way, for example on an image that can not be changed otherwise",
        next: "find out who put it there; keep it as evidence, and look what it ran before it is taken away",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let mut portable: BTreeMap<&Text, Vec<Row<'_, SystemSetting>>> = BTreeMap::new();
    for row in tables.of::<SystemSetting>().filter(|row| row.package.is_none()) {
        if row.area == "extension" {
            drafts.extend(extension(&files, &row));
        } else if row.area == "portable" {
            portable.entry(&row.fact.whom).or_default().push(row);
        }
    }
    for (unit, mut rows) in portable {
        rows.sort_by(|a, b| order(a.fact).cmp(&order(b.fact)));
        drafts.extend(service(unit, &rows));
    }
}

fn extension(files: &Files<'_>, row: &Row<'_, SystemSetting>) -> Option<Draft> {
    let value = row.value.as_bytes();
    let at = value.iter().position(|b| *b == b' ').unwrap_or(value.len());
    let (inside, commands) = (value.get(..at)?, value.get(at..)?.trim_ascii());
    let plain = weigh::is_below(inside, b"/usr") && row.name == "brings-program";
    let severity = if plain { Severity::Low } else { Severity::Medium };
    let mut weight = Weight::of(severity, format!("it is laid over {}", Text::from(inside)));
    if !commands.is_empty() {
        weight = weight.and(weigh::command(files, &commands.into(), true));
    }
    if entry::is_hidden(row.whom.as_bytes()) {
        weight = weight.and(Weight::of(Severity::Medium, "the extension is hidden"));
    }
    weight.paths.push(row.whom.clone());
    let title =
        "An extension of the system brings something that starts by itself, or gives rights".to_owned();
    let written = if commands.is_empty() { Text::from(inside) } else { Text::from(commands) };
    weigh::draft(weight, row.path.as_bytes(), title, &row.path, 1, &written, row)
}

fn order(row: &SystemSetting) -> (&Text, &Text, &Text) {
    (&row.path, &row.name, &row.value)
}

/// What of the machine a portable service may change.
fn service(unit: &Text, rows: &[Row<'_, SystemSetting>]) -> Option<Draft> {
    const WHOLE: &[&[u8]] = &[
        b"/",
        b"/etc",
        b"/root",
        b"/home",
        b"/usr",
        b"/var",
        b"/boot",
        b"/bin",
        b"/sbin",
        b"/lib",
        b"/opt",
        b"/srv",
        b"/dev",
        b"/var/lib",
        b"/var/spool",
        b"/proc",
    ];
    let mut weight = Weight::default();
    let mut rooted = false;
    for row in rows {
        let value = row.value.as_bytes();
        let name = row.name.as_str().unwrap_or_default();
        rooted |= matches!(name, "RootDirectory" | "RootImage") && !value.is_empty();
        if name == "RootDirectory" && value == b"/" {
            weight = weight.and(Weight::of(Severity::Medium, "its root is the machine's own"));
        }
        if matches!(name, "BindPaths" | "BindReadOnlyPaths") {
            for word in value.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty()) {
                let word = word.strip_prefix(b"-").unwrap_or(word);
                let from = word.split(|b| *b == b':').next().unwrap_or_default();
                let from = from.strip_suffix(b"/").filter(|rest| !rest.is_empty()).unwrap_or(from);
                let writes = name == "BindPaths";
                let engine = [&b"docker.sock"[..], b"containerd.sock", b"podman.sock"];
                if (writes && (WHOLE.contains(&from) || engine.iter().any(|end| from.ends_with(end))))
                    || from == b"/"
                    || from == b"/root"
                {
                    let may = if writes { "change" } else { "read" };
                    let reason = format!("it may {may} the machine's own {}", Text::from(from));
                    weight = weight.and(Weight::of(Severity::Medium, reason));
                }
            }
        }
    }
    let first = rows.first()?;
    if !rooted {
        weight = weight.and(Weight::of(
            Severity::Medium,
            "it stands among the portable services, but has no image of its own: it runs on the machine itself",
        ));
    }
    for row in rows {
        weight.paths.push(row.path.clone());
    }
    let weight = weight.and(Weight::default());
    let severity = weight.severity.filter(|severity| *severity >= Severity::Low)?;
    let name = Text::from(unit.file_name());
    let title = format!("The portable service \"{name}\" has the whole machine");
    let mut draft = Draft::new(severity, Certainty::Likely, unit.as_bytes(), title)
        .path(unit)
        .saw_all(weight.reasons)
        .from(first, "its settings");
    for path in &weight.paths {
        draft = draft.path(path);
    }
    Some(draft)
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn extensions_and_portable_services_are_found() {
        let unit = "[Service]\nExecStart=/usr/bin/x\n[Install]\nWantedBy=multi-user.target\n";
        for path in [
            "/var/lib/confexts/a/etc/systemd/system/a.service",
            "/var/lib/extensions/.b/usr/lib/systemd/system/b.service",
            "/etc/extensions/c/usr/lib/systemd/system/c.timer",
            "/run/confexts/d/etc/cron.d/d",
            "/var/lib/confexts/e/etc/sudoers.d/e",
        ] {
            let seen = check(Mem::new().file(path, unit));
            let found = seen.alarms("extension");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
        for drop_in in
            ["RootImage=/var/lib/portables/a.raw\nBindPaths=/\n", "RootDirectory=/\n", "User=root\n"]
        {
            let path = "/etc/systemd/system.attached/a.service.d/20-portable.conf";
            let mem = Mem::new().file("/etc/systemd/system.attached/a.service", unit);
            let seen = check(mem.file(path, format!("[Service]\n{drop_in}")));
            let found = seen.alarms("extension");
            assert_eq!(found.len(), 1, "{drop_in}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn ordinary_extensions_and_services_are_no_alarm() {
        let seen = check(
            Mem::new()
                .file("/var/lib/extensions/k/usr/bin/k", "\x7fELF")
                .file("/var/lib/extensions/k/usr/lib/extension-release.d/extension-release.k", "ID=_any\n")
                .file("/var/lib/extensions/k/usr/lib/systemd/system/k.service", "[Service]\nExecStart=/usr/bin/k\n")
                .file("/etc/systemd/system.attached/p.service", "[Service]\nExecStart=/usr/bin/p\n")
                .file("/etc/systemd/system.attached/p.service.d/20-portable.conf", "[Service]\nRootImage=/var/lib/portables/p.raw\n")
                .file("/etc/systemd/system.attached/p.service.d/10-profile.conf", "[Service]\nMountAPIVFS=yes\nBindReadOnlyPaths=/run/systemd/notify\nBindReadOnlyPaths=/etc/machine-id\nBindPaths=/run\n"),
        );
        assert!(seen.alarms("extension").is_empty(), "{:#?}", seen.by("extension"));
    }
}
