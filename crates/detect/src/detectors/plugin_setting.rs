//! Detector: a module of character conversion or of OpenSSL that no package owns or that stands in an odd place.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::{Severity, Text, kinds::PluginSetting};
use std::collections::{BTreeMap, BTreeSet};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "plugin-setting",
        doc: "Character conversion (gconv) or OpenSSL loads a module of no package into programs, or others may change which.",
        mechanisms: &[7],
        attack: &["T1574"],
        why: "Such a module runs inside every program that converts text or encrypts: web servers, databases, the login.",
        innocent: "you built OpenSSL or an engine of it (for a hardware key) by hand",
        next: "keep the module, do not run it; compare the settings with a machine you trust",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let mut modules: BTreeMap<&Text, Vec<Row<'_, PluginSetting>>> = BTreeMap::new();
    let mut loose = BTreeSet::new();
    let mut all: Vec<_> = tables.of::<PluginSetting>().collect();
    all.sort_by(|a, b| a.id.cmp(b.id));
    for row in all {
        modules.entry(row.fact.file.as_ref().unwrap_or(&row.fact.value)).or_default().push(row);
        if row.line != 0 && loose.insert(&row.fact.path) {
            let weight = entry::loose(&files, &row.path, None);
            let title = format!("Others may change which modules programs load: {}", row.path);
            let identity = [b"loose\0", row.path.as_bytes()].concat();
            drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &row.value, &row));
        }
    }
    for (file, rows) in modules {
        let Some(first) = rows.iter().min_by_key(|row| (row.line == 0, row.path.clone(), row.line)) else {
            continue;
        };
        let mut weight = entry::standing(&files, file, "the module");
        weight = weight.and(entry::loose(&files, file, None));
        let described = files.get(file).filter(|file| file.what != "missing");
        let unowned = described.is_some_and(|file| file.package.is_none() && file.packages_known);
        // Modules of character conversion come with the C library alone; one of an own OpenSSL is an administrator's.
        let local = entry::is_local(file.as_bytes()) && !weigh::is_below(file.as_bytes(), b"/home");
        if unowned && (first.what == "gconv" || (first.line != 0 && !local)) {
            entry::add(&mut weight, Severity::Medium, "no package brought this module, and programs load it");
        }
        if weight.severity < Some(Severity::Medium) {
            weight = Weight::default();
        }
        let name = if first.what == "gconv" { "The conversion of text" } else { "OpenSSL" };
        let title = format!("{name} loads a module of no package: {}", entry::short(file));
        let line = if first.line == 0 { 1 } else { first.line };
        let written = if first.line == 0 {
            Text::from("(no line names it; it stands in the directory of modules)")
        } else {
            first.value.clone()
        };
        drafts.extend(
            weigh::draft(weight, file.as_bytes(), title, &first.path, line, &written, first)
                .map(|draft| draft.path(file)),
        );
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    const LIB: &str = "/usr/lib/x86_64-linux-gnu";

    fn debian() -> Mem {
        Mem::new()
            .file(
                "/var/lib/dpkg/info/libc6.list",
                format!("/.\n{LIB}/gconv/gconv-modules\n{LIB}/gconv/IBM850.so\n{LIB}/ossl-modules/legacy.so\n{LIB}/engines-3/padlock.so\n/etc/ssl/openssl.cnf\n"),
            )
            .file(format!("{LIB}/gconv/gconv-modules"), "module IBM850// INTERNAL IBM850 1\nalias CP850// IBM850//\n")
            .file(format!("{LIB}/gconv/gconv-modules.cache"), "x")
            .file(format!("{LIB}/gconv/IBM850.so"), "\x7fELF")
            .file(format!("{LIB}/ossl-modules/legacy.so"), "\x7fELF")
            .file(format!("{LIB}/engines-3/padlock.so"), "\x7fELF")
            .file("/etc/ssl/openssl.cnf", "openssl_conf = i\n[i]\nproviders = p\n[p]\ndefault = d\nlegacy = l\n[l]\nactivate = 1\nmodule = legacy.so\n")
    }

    #[test]
    fn modules_of_no_package_are_found() {
        for (path, text) in [
            ("/usr/lib/x86_64-linux-gnu/gconv/gconv-modules", "module X// INTERNAL /dev/shm/x 1\n"),
            (
                "/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.d/z.conf",
                "module X// INTERNAL /opt/m/payload 2\n",
            ),
            ("/usr/lib/x86_64-linux-gnu/gconv/UTF9.so", "\x7fELF"),
            ("/usr/lib/x86_64-linux-gnu/ossl-modules/fips2.so", "\x7fELF"),
            ("/usr/lib/x86_64-linux-gnu/engines-3/aes.so", "\x7fELF"),
            ("/etc/ssl/openssl.cnf", "[p]\nmodule = /var/lib/.p/l.so\n"),
            ("/etc/ssl/openssl.cnf", ".include /etc/ssl/more.cnf\n"),
            ("/etc/ssl/openssl.cnf", "[e]\ndynamic_path = /tmp/e.so\n"),
        ] {
            let host = debian()
                .file("/opt/m/payload.so", "\x7fELF")
                .file("/etc/ssl/more.cnf", "[e]\nengine_id = x\nSO_PATH = /usr/share/x/e.so\n")
                .file("/usr/share/x/e.so", "\x7fELF");
            let seen = check(host.file(path, text));
            let found = seen.alarms("plugin-setting");
            assert_eq!(found.len(), 1, "{path} {text}: {:#?}", seen.findings);
        }
    }

    #[test]
    fn packaged_modules_and_an_own_openssl_are_no_alarm() {
        let own = debian()
            .file("/usr/local/lib/engines-3/pkcs11.so", "\x7fELF")
            .file("/usr/local/ssl/openssl.cnf", "[e]\ndynamic_path = /usr/local/lib/engines-3/pkcs11.so\n");
        let seen = check(own);
        assert!(seen.by("plugin-setting").is_empty(), "{:#?}", seen.findings);
    }
}
