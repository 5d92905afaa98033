//! Detector: programs and settings that a mount covers.

use crate::weigh::is_below;
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, kinds::CoveredPlace};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "covered-place",
        doc: "A mount covers programs, or a part of the system that is not meant to be covered.",
        mechanisms: &[14, 16],
        attack: &["T1564"],
        why: "What stands below a mount is used by who has it open, comes back when the mount goes, and no listing shows it.",
        innocent: "the file system was filled before the mount was set up, as with a /tmp that became memory-backed",
        next: "look below without unmounting: bind the mount beneath to another place and read it there",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    for place in tables.of::<CoveredPlace>() {
        let Some((severity, title)) = weigh(&place) else { continue };
        let mut draft = Draft::new(severity, Certainty::Possible, place.point.as_bytes(), title)
            .saw(format!("a {} file system is mounted over {}", place.filesystem, place.point))
            .saw(match place.configured {
                true => "the table of file systems names this mount".to_owned(),
                false => "the table of file systems does not name this mount".to_owned(),
            })
            .path(&place.fact.point);
        for path in place.fact.set_id.iter().chain(&place.fact.programs).chain(&place.fact.examples).take(8) {
            draft = draft.saw(format!("below it stands {path}")).path(path);
        }
        drafts.push(draft.from(&place, "a private copy of the mount below"));
    }
}

fn weigh(place: &Row<'_, CoveredPlace>) -> Option<(Severity, String)> {
    let (point, bytes) = (&place.fact.point, place.fact.point.as_bytes());
    let below = |places: &[&[u8]]| places.iter().any(|root| is_below(bytes, root));
    // Containers and memory-backed folders stand over what was there before; that is how they are made.
    let usual = below(&[
        b"/proc",
        b"/sys",
        b"/run",
        b"/tmp",
        b"/var/tmp",
        b"/var/lib/docker",
        b"/var/lib/containers",
        b"/snap",
        b"/var/lib/kubelet",
    ]) || matches!(
        bytes,
        b"/dev" | b"/dev/shm" | b"/dev/pts" | b"/dev/mqueue" | b"/dev/hugepages" | b"/dev/console"
    );
    if !place.set_id.is_empty() && !bytes.starts_with(b"/var/lib/docker") && !below(&[b"/snap"]) {
        return Some((Severity::Medium, format!("A mount at {point} covers set-id programs")));
    }
    if !place.programs.is_empty() {
        let severity = if usual || place.configured { Severity::Info } else { Severity::Medium };
        return Some((severity, format!("A mount at {point} covers programs that no package owns")));
    }
    if place.is_file {
        // What container managers, DHCP and systemd put in place of single files.
        let made = below(&[b"/run", b"/dev", b"/proc", b"/sys"])
            || matches!(
                bytes,
                b"/etc/resolv.conf"
                    | b"/etc/hosts"
                    | b"/etc/hostname"
                    | b"/etc/machine-id"
                    | b"/etc/mtab"
                    | b"/etc/localtime"
            );
        let system = below(&[b"/etc", b"/usr", b"/bin", b"/sbin", b"/lib", b"/lib64", b"/boot", b"/root"]);
        return (system && !made && !place.configured)
            .then(|| (Severity::Medium, format!("Another file is mounted over {point}")));
    }
    let system =
        below(&[b"/etc", b"/usr", b"/bin", b"/sbin", b"/lib", b"/lib64", b"/root", b"/var/spool/cron"]);
    if place.files > 0 && system && !place.configured && bytes != b"/usr" {
        return Some((
            Severity::Medium,
            format!("A mount at {point} hides {} files of the system", place.files),
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use calma_record::Severity;
    use calma_testkit::{Mem, check};

    fn host(point: &str, kind: &str) -> Mem {
        let table = format!("1 0 8:1 / / rw - ext4 x rw\n9 1 0:9 / {point} rw - {kind} t rw\n");
        Mem::running().file("/proc/self/mountinfo", table)
    }

    #[test]
    fn covered_programs_and_settings_are_found() {
        for (point, covered, content) in [
            ("/opt/app", "/opt/app/x/run", "\x7fELF"),
            ("/var/backups", "/var/backups/go.sh", "#!/bin/sh\n"),
            ("/etc/cron.d", "/etc/cron.d/job", "* * * * * root x\n"),
            ("/etc/passwd", "/etc/passwd", "root:x:0:0::/:/bin/sh\n"),
            ("/usr/lib/systemd/system", "/usr/lib/systemd/system/a.service", "[Unit]\n"),
        ] {
            let seen = check(host(point, "tmpfs").covered(covered, content));
            assert_eq!(seen.alarms("covered-place").len(), 1, "{point}: {:?}", seen.findings);
        }
    }

    #[test]
    fn ordinary_mounts_are_not() {
        for (point, covered, content) in [
            ("/tmp", "/tmp/old.sh", "#!/bin/sh\n"),
            ("/dev/shm", "/dev/shm/x", "x"),
            ("/etc/resolv.conf", "/etc/resolv.conf", "nameserver 192.0.2.1\n"),
            ("/home", "/home/u/notes", "text"),
            ("/run/lock", "/run/lock/x", "x"),
        ] {
            let seen = check(host(point, "tmpfs").covered(covered, content));
            let bad: Vec<_> =
                seen.by("covered-place").into_iter().filter(|f| f.severity > Severity::Info).collect();
            assert!(bad.is_empty(), "{point}: {bad:#?}");
        }
    }
}
