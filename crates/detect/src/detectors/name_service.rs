//! Detector: a module of the name service that no package owns or that stands in an odd place.

use crate::weigh::{self, Files};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::{Certainty, Severity, Text, kinds::NameService};
use std::collections::{BTreeMap, BTreeSet};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "name-service",
        doc: "A module of the name service comes from no package or an odd place, or others may say which modules are asked.",
        mechanisms: &[6],
        attack: &["T1574", "T1556"],
        why: "Every program that looks up a user, a group or a host loads it, those of root and the login among them.",
        innocent: "you built a module of the name service by hand",
        next: "keep the library, do not run it; compare /etc/nsswitch.conf with a machine you trust",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let mut libraries: BTreeMap<&Text, Vec<Row<'_, NameService>>> = BTreeMap::new();
    let mut loose = BTreeSet::new();
    let mut all: Vec<_> = tables.of::<NameService>().collect();
    all.sort_by(|a, b| a.id.cmp(b.id));
    for row in all {
        if let Some(file) = &row.fact.file {
            libraries.entry(file).or_default().push(row);
        }
        if row.line != 0 && loose.insert(&row.fact.path) {
            let weight = entry::loose(&files, &row.path, None);
            let title = format!("Others may change how names are looked up: {}", row.path);
            let identity = [b"loose\0", row.path.as_bytes()].concat();
            drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &row.service, &row));
        }
    }
    for (file, mut rows) in libraries {
        rows.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
        let mut weight = entry::standing(&files, file, "the library");
        let asked: Vec<&Row<'_, NameService>> = rows.iter().filter(|row| row.line != 0).collect();
        let unowned = files.get(file).is_some_and(|file| file.package.is_none() && file.packages_known);
        if unowned && !asked.is_empty() {
            let reason = format!("no package owns {file}, and programs that look up names load it");
            entry::add(&mut weight, Severity::Medium, reason);
        }
        let Some(severity) = weight.severity.filter(|severity| *severity >= Severity::Low) else { continue };
        let certainty = if severity >= Severity::High { Certainty::VeryLikely } else { Certainty::Likely };
        let title = format!("A module of the name service comes from no package: {}", entry::short(file));
        let mut draft =
            Draft::new(severity, certainty, file.as_bytes(), title).path(file).saw_all(weight.reasons);
        for row in asked.iter().take(6) {
            draft = draft
                .saw(format!("line {} of {} asks it for {}", row.line, row.path, row.database))
                .path(&row.path);
        }
        if asked.is_empty() {
            draft = draft.saw("no line of nsswitch.conf asks it, so far");
        }
        for row in rows.iter().take(6) {
            draft = draft.from(row, "the module");
        }
        drafts.push(draft);
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    const LIB: &str = "/usr/lib/x86_64-linux-gnu";

    fn debian(passwd: &str) -> Mem {
        Mem::new()
            .file(
                "/var/lib/dpkg/info/libc6.list",
                format!("/.\n{LIB}/libnss_files.so.2\n{LIB}/libnss_systemd.so.2\n"),
            )
            .file(format!("{LIB}/libnss_files.so.2"), "\x7fELF")
            .file(format!("{LIB}/libnss_systemd.so.2"), "\x7fELF")
            .symlink("/lib", "usr/lib")
            .file("/etc/nsswitch.conf", format!("passwd: files {passwd}\nhosts: files dns mymachines\n"))
    }

    #[test]
    fn modules_of_no_package_are_found_in_every_place() {
        for (service, path) in [
            ("cache0", "/usr/lib/x86_64-linux-gnu/libnss_cache0.so.2"),
            ("x [NOTFOUND=return]", "/usr/lib/libnss_x.so.2"),
            ("db2", "/usr/local/lib/libnss_db2.so.2"),
            ("systemd", "/usr/lib64/libnss_idle.so.2"),
        ] {
            let seen = check(debian(service).file(path, "\x7fELF"));
            let found = seen.alarms("name-service");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            let name = path.rsplit('/').next().unwrap();
            assert!(format!("{:?}", found[0].subjects).contains(name));
        }
        let linked =
            debian("f").file("/var/tmp/f", "\x7fELF").symlink("/usr/lib/libnss_f.so.2", "/var/tmp/f");
        assert_eq!(check(linked).alarms("name-service").len(), 1);
        let writable = debian("systemd").owned("/etc/nsswitch.conf", 0o666, 0, 0);
        assert_eq!(check(writable).alarms("name-service").len(), 1);
    }

    #[test]
    fn packaged_and_missing_modules_are_no_alarm() {
        assert!(check(debian("systemd nis sss")).by("name-service").is_empty());
    }
}
