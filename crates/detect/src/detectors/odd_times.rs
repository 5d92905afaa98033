//! Detector: files whose times were set by hand, or that come from the future.

use crate::weigh::{is_below, is_packaged_place};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, kinds::OddFile};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "odd-times",
        doc: "A file's times contradict each other, its neighbours', or the clock.",
        mechanisms: &[103],
        attack: &["T1070.006"],
        why: "Intruders give their files old times, so that nobody who looks for what is new finds them.",
        innocent: "you copied it there with its times kept (cp -p, scp -p, tar), or the clock was wrong once",
        next: "read the file, and look what else was made on the host in the minutes around its birth",
    },
    judge,
};

/// From this many files on that are newer than the clock, the clock is what is odd.
const CLOCK: usize = 50;

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let has = |file: &Row<'_, OddFile>, reason: &str| file.reasons.iter().any(|have| have == reason);
    let future: Vec<_> = tables.of::<OddFile>().filter(|file| has(file, "future")).collect();
    if future.len() >= CLOCK {
        let title = format!("{} files are newer than the clock: it may be wrong", future.len());
        let mut draft = Draft::new(Severity::Low, Certainty::Possible, "clock", title)
            .why("With a wrong clock no order of events can be relied on.")
            .innocent("the clock runs behind, or did when these files were made")
            .next("compare the clock with another one, and note the difference");
        for file in future.iter().take(8) {
            draft = draft.path(&file.fact.path).from(file, "its times");
        }
        drafts.push(draft);
    } else {
        drafts.extend(future.iter().map(of_the_future));
    }
    drafts.extend(
        tables.of::<OddFile>().filter(|file| has(file, "backdated")).filter_map(|file| backdated(&file)),
    );
}

fn of_the_future(file: &Row<'_, OddFile>) -> Draft {
    let path = &file.fact.path;
    let title = format!("{path} is newer than the clock");
    Draft::new(Severity::Medium, Certainty::Likely, path.as_bytes(), title)
        .saw(format!(
            "changed {}, its rights or name {}; the host's clock says {}",
            file.modified, file.changed, file.now
        ))
        .saw("no package owns it")
        .path(path)
        .from(file, "its times, and the clock when it was seen")
}

fn backdated(file: &Row<'_, OddFile>) -> Option<Draft> {
    let (path, born) = (&file.fact.path, file.born?);
    let usual = file.neighbours_born?;
    let whole_second = file.modified.nanoseconds().rem_euclid(1_000_000_000) == 0;
    let runs = file.elf || file.script.is_some() || file.mode & 0o111 != 0 || is_code(path.as_bytes());
    let severity = match place(path.as_bytes()) {
        // Only packages put files there, and this one is of none.
        Place::Packages if runs || file.same_time_as.is_some() => Severity::Medium,
        // What the system runs by itself. Programs that copy keep fractions of a second; a time typed in has none.
        Place::Started if whole_second || file.same_time_as.is_some() => Severity::Medium,
        Place::Web if runs && (file.same_time_as.is_some() || whole_second) => Severity::Medium,
        Place::Packages | Place::Started | Place::Web => Severity::Info,
        Place::Other => return None,
    };
    let title = format!("{path} pretends to be older than it is");
    let mut draft = Draft::new(severity, Certainty::Possible, path.as_bytes(), title)
        .saw(format!("its content claims to be of {}, but the file was made on {born}", file.modified))
        .saw(format!("most of its neighbours were made on {usual}; no package owns it"));
    if whole_second {
        draft = draft.saw("its time has no fraction of a second, as one that was typed in or unpacked");
    }
    if let Some(twin) = &file.same_time_as {
        draft = draft.saw(format!("to the nanosecond it has the time of {twin} beside it"));
    }
    Some(draft.path(path).from(file, "its times of change and birth"))
}

enum Place {
    Packages,
    Started,
    Web,
    Other,
}

fn place(path: &[u8]) -> Place {
    const STARTED: &[&[u8]] = &[
        b"/etc/cron.d",
        b"/etc/cron.hourly",
        b"/etc/cron.daily",
        b"/etc/cron.weekly",
        b"/etc/cron.monthly",
        b"/etc/init.d",
        b"/etc/systemd",
        b"/etc/profile.d",
        b"/etc/pam.d",
        b"/etc/sudoers.d",
        b"/etc/udev/rules.d",
        b"/etc/ld.so.conf.d",
        b"/etc/ld.so.preload",
        b"/etc/update-motd.d",
        b"/etc/modules-load.d",
        b"/etc/modprobe.d",
        b"/etc/apt/apt.conf.d",
        b"/etc/network",
        b"/etc/rc.local",
        b"/var/spool/cron",
        b"/etc/NetworkManager/dispatcher.d",
        b"/etc/xdg/autostart",
        b"/etc/logrotate.d",
    ];
    let cache = path.windows(13).any(|part| part == b"/__pycache__/");
    if STARTED.iter().any(|place| is_below(path, place)) {
        Place::Started
    } else if is_below(path, b"/var/www") || is_below(path, b"/srv/www") {
        Place::Web
    } else if is_packaged_place(path) && !cache {
        Place::Packages
    } else {
        Place::Other
    }
}

/// Whether the name is one of code that needs no right to be executed.
fn is_code(path: &[u8]) -> bool {
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    [&b".so"[..], b".php", b".phtml", b".jsp", b".py", b".pl", b".cgi", b".ko"]
        .iter()
        .any(|end| name.ends_with(end))
        || name.windows(4).any(|part| part == b".so.")
}

#[cfg(test)]
mod tests {
    use calma_record::{Severity, Timestamp};
    use calma_testkit::{Mem, check};

    const DAY: i64 = 86_400;
    const INSTALLED: i64 = 1_780_000_000;
    const PLANTED: i64 = 1_790_000_000;

    /// A server whose packaged files were made at the installation.
    fn server() -> Mem {
        let mut host = Mem::new()
            .file("/var/lib/dpkg/info/a.list", "/usr/bin/a\n/usr/bin/b\n/etc/cron.d/a\n/etc/cron.d/b\n");
        for path in [
            "/usr/bin/a",
            "/usr/bin/b",
            "/etc/cron.d/a",
            "/etc/cron.d/b",
            "/var/www/html/a.php",
            "/var/www/html/b.php",
        ] {
            host = at(host.file(path, "x"), path, INSTALLED - 300 * DAY, 0, INSTALLED);
        }
        for directory in ["/usr/bin", "/etc/cron.d", "/var/www/html"] {
            host = at(host, directory, PLANTED, 0, INSTALLED);
        }
        host
    }

    fn at(host: Mem, path: &str, modified: i64, nanoseconds: u32, born: i64) -> Mem {
        host.with(path, |meta| {
            meta.modified = Timestamp::new(modified, nanoseconds);
            meta.changed = Timestamp::new(born, 5);
            meta.born = Some(Timestamp::new(born, 5));
        })
    }

    #[test]
    fn backdated_files_are_found() {
        for (path, content, modified, nanoseconds) in [
            ("/usr/bin/helper", "\x7fELF", INSTALLED - 500 * DAY, 77),
            ("/usr/bin/helper2", "#!/bin/sh\n", INSTALLED - 300 * DAY, 0),
            ("/etc/cron.d/sysstat2", "* * * * * root /x\n", INSTALLED - 2 * DAY, 0),
            ("/var/www/html/x.php", "<?php", INSTALLED - 300 * DAY, 0),
        ] {
            let host = at(server().file(path, content), path, modified, nanoseconds, PLANTED);
            let found = check(host).alarms("odd-times").iter().filter(|f| f.title.contains(path)).count();
            assert_eq!(found, 1, "{path}");
        }
    }

    #[test]
    fn files_of_the_future_are_found() {
        for path in ["/etc/cron.d/x", "/usr/bin/x", "/usr/lib/x.so"] {
            let host = at(server().file(path, "x"), path, 1_900_000_000, 0, PLANTED);
            assert_eq!(check(host).alarms("odd-times").len(), 1, "{path}");
        }
    }

    #[test]
    fn what_was_unpacked_or_restored_together_is_ordinary() {
        let mut host = server();
        for path in ["/usr/lib/vendor/a", "/usr/lib/vendor/b", "/usr/lib/vendor/c.so", "/usr/local/bin/tool"]
        {
            host = at(host.file(path, "\x7fELF"), path, INSTALLED - 90 * DAY, 0, PLANTED);
        }
        host = at(host, "/usr/lib/vendor", PLANTED, 5, PLANTED);
        // Copied with its time kept, to the fraction.
        host =
            at(host.file("/etc/cron.d/own", "x"), "/etc/cron.d/own", INSTALLED - 9 * DAY, 123_456, PLANTED);
        // Changed today.
        host = at(host.file("/etc/cron.d/new", "x"), "/etc/cron.d/new", PLANTED, 9, PLANTED);
        let seen = check(host);
        let bad: Vec<_> = seen.by("odd-times").into_iter().filter(|f| f.severity > Severity::Info).collect();
        assert!(bad.is_empty(), "{bad:#?}");
    }
}
