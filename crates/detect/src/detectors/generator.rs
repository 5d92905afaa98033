//! Detector: a generator of units that no package brought.

use crate::weigh::{self, Files};
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::Unit};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "generator",
        doc: "A program that the service manager runs before everything else is not from a package.",
        mechanisms: &[40, 45],
        attack: &["T1543.002"],
        why: "Generators run as root at every boot and reload, before anything else, and can make units that leave no file.",
        innocent: "a program installed by hand brought its own generator",
        next: "read the file; if nobody knows it, keep it as evidence before removing it",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<Unit>().filter(|row| row.what.ends_with("generator")) {
        let weight = weigh::file(&files, &row.path, true);
        let unowned = row.package.is_none() && row.packages_known;
        // The service manager runs only what may be executed; a file that is not yet executable is one command away from it.
        let own = match (unowned, row.enabled) {
            (true, true) => Some(Severity::Medium),
            (true, false) => Some(Severity::Low),
            (false, _) => None,
        };
        let Some(severity) = own.max(weight.severity).filter(|severity| *severity >= Severity::Low) else {
            continue;
        };
        let title =
            format!("The generator \"{}\" runs before everything else and is from no package", row.name);
        let mut draft = Draft::new(severity, Certainty::Likely, row.path.as_bytes(), title)
            .path(&row.path)
            .saw_all(weight.reasons)
            .from(&row, "stands where the service manager looks for generators");
        if unowned {
            draft = draft.saw("no package owns it");
        }
        for path in &weight.paths {
            draft = draft.path(path);
        }
        drafts.push(draft);
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn debian() -> Mem {
        let packaged = "/usr/lib/systemd/system-generators/systemd-x-generator";
        Mem::new()
            .file("/var/lib/dpkg/info/systemd.list", format!("/.\n{packaged}\n"))
            .file(packaged, "\x7fELF")
            .owned(packaged, 0o755, 0, 0)
            .symlink("/lib", "usr/lib")
    }

    #[test]
    fn generators_of_no_package_are_found_in_every_place() {
        for path in [
            "/etc/systemd/system-generators/a",
            "/usr/local/lib/systemd/system-generators/net-gen",
            "/usr/lib/systemd/user-generators/.b",
            "/run/systemd/system-generators/c",
            "/etc/systemd/system-environment-generators/10-env",
        ] {
            let seen = check(debian().file(path, "#!/bin/sh\nexit 0\n").owned(path, 0o755, 0, 0));
            assert_eq!(seen.alarms("generator").len(), 1, "{path}");
        }
    }

    #[test]
    fn packaged_generators_and_masks_are_not() {
        let seen = check(debian().symlink("/etc/systemd/system-generators/systemd-x-generator", "/dev/null"));
        assert!(seen.by("generator").is_empty(), "{:#?}", seen.findings);
    }
}
