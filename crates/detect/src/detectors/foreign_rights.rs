//! Detector: files of the system that strangers may write to, attributes that stop repair, disk devices out of place.

use crate::weigh::is_below;
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, kinds::OddFile};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "foreign-rights",
        doc: "Others than its owner may write to a part of the system, or nobody may repair it.",
        mechanisms: &[66, 68, 102],
        attack: &["T1222.002", "T1564"],
        why: "Who may write to what root runs or reads can become root again after everything else is cleaned.",
        innocent: "an administrator or an installer was generous with rights",
        next: "note the rights as evidence, then set them as on a clean system of the same kind",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    for file in tables.of::<OddFile>() {
        let verdicts = [writable(&file), listed(&file), frozen(&file), device(&file)];
        let Some(worst) = verdicts.iter().flatten().max_by_key(|(severity, ..)| *severity) else { continue };
        let path = &file.fact.path;
        drafts.push(
            Draft::new(worst.0, Certainty::Likely, path.as_bytes(), worst.1.clone())
                .saw_all(verdicts.iter().flatten().map(|verdict| verdict.2.clone()))
                .saw(format!(
                    "mode {:04o}, owner {}, group {}, changed {}",
                    file.mode & 0o7777,
                    file.uid,
                    file.gid,
                    file.changed
                ))
                .path(path)
                .from(&file, "its rights and attributes"),
        );
    }
}

/// How bad, title, what was seen.
type Verdict = (Severity, String, String);

fn because(file: &OddFile, reason: &str) -> bool {
    file.reasons.iter().any(|have| have == reason)
}

/// Where writing means being root soon: programs, libraries, settings of the system, timetables, root's home.
fn is_power(path: &[u8]) -> bool {
    let local = is_below(path, b"/usr/local/share")
        || is_below(path, b"/usr/src")
        || is_below(path, b"/usr/share/doc");
    !local
        && [
            &b"/usr"[..],
            b"/etc",
            b"/bin",
            b"/sbin",
            b"/lib",
            b"/lib64",
            b"/lib32",
            b"/boot",
            b"/var/spool/cron",
            b"/root",
            b"/var/lib/dpkg",
            b"/var/lib/systemd",
        ]
        .iter()
        .any(|place| is_below(path, place))
}

fn writable(file: &Row<'_, OddFile>) -> Option<Verdict> {
    if !because(file, "world-writable") {
        return None;
    }
    let (path, noun) = (&file.path, if file.what == "directory" { "directory" } else { "file" });
    let seen = "every account of this host may write to it".to_owned();
    // A home is reached only as far as the directories above it allow; root's is closed on ordinary systems.
    let inner =
        is_below(path.as_bytes(), b"/root") && !path.as_bytes().windows(5).any(|part| part == b"/.ssh");
    let dotfile = path.file_name().starts_with(b".") && is_power(path.as_bytes());
    let severity =
        if is_power(path.as_bytes()) && (!inner || dotfile) { Severity::Medium } else { Severity::Info };
    Some((severity, format!("Everybody may change the {noun} {path}"), seen))
}

fn listed(file: &Row<'_, OddFile>) -> Option<Verdict> {
    if !because(file, "acl") {
        return None;
    }
    // The journal is readable for a group by a list as it is installed; writing is another matter everywhere.
    let (path, who) = (&file.path, file.writers.join(", "));
    let seen = format!("its access control list lets others write: {who}");
    let title = format!("An access control list lets others write to {path}");
    Some((Severity::Medium, title, seen))
}

fn frozen(file: &Row<'_, OddFile>) -> Option<Verdict> {
    let (path, append) = (&file.path, because(file, "append-only"));
    if !append && !because(file, "immutable-directory") {
        return None;
    }
    let bytes = path.as_bytes();
    let log = is_below(bytes, b"/var/log");
    let way_in = bytes.windows(5).any(|part| part == b"/.ssh")
        || [
            &b"/etc/cron"[..],
            b"/var/spool/cron",
            b"/etc/systemd/system",
            b"/etc/ld.so.preload",
            b"/etc/pam.d",
            b"/etc/profile.d",
            b"/etc/sudoers",
            b"/etc/init.d",
            b"/etc/rc.local",
        ]
        .iter()
        .any(|place| bytes.starts_with(place));
    let runs = file.elf || file.script.is_some();
    let severity =
        if file.package.is_none() && !log && (way_in || runs) { Severity::Medium } else { Severity::Info };
    let what = if append { "append-only" } else { "immutable" };
    let seen = format!("the {what} attribute is set: not even root can undo it before chattr takes it away");
    Some((severity, format!("{path} is protected against being repaired"), seen))
}

fn device(file: &Row<'_, OddFile>) -> Option<Verdict> {
    if !because(file, "block-device") {
        return None;
    }
    let path = &file.path;
    let seen = "who may open it reads and writes the disk itself, past all rights of files".to_owned();
    // A tree of another system, as containers and rescue images have, brings its own.
    let nested = path.as_bytes().windows(5).any(|part| part == b"/dev/");
    let severity = if nested || is_for_quotas(path.as_bytes(), file.mode, file.uid) {
        Severity::Info
    } else {
        Severity::Medium
    };
    Some((severity, format!("A disk device stands outside /dev: {path}"), seen))
}

/// Container engines keep a device of the file system below their data, to set quotas with quotactl(2). It is root's alone;
/// one that others may open is something else under that name.
fn is_for_quotas(path: &[u8], mode: u32, uid: u32) -> bool {
    let engines = [&b"/var/lib/docker/"[..], b"/var/lib/containers/storage/"];
    path.ends_with(b"/backingFsBlockDev")
        && engines.iter().any(|folder| path.starts_with(folder))
        && uid == 0
        && mode & 0o077 == 0
}

#[cfg(test)]
mod tests {
    use super::is_for_quotas;
    use calma_record::Severity;
    use calma_testkit::{Mem, check};

    fn list(tag: u8, rights: u8, id: u32) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, tag, 0, rights, 0];
        bytes.extend(id.to_le_bytes());
        bytes.extend([0x10, 0, 7, 0, 255, 255, 255, 255]);
        bytes
    }

    #[test]
    fn strangers_who_may_write_are_found() {
        for (path, host) in [
            ("/etc/cron.d/x", Mem::new().file("/etc/cron.d/x", "").owned("/etc/cron.d/x", 0o666, 0, 0)),
            ("/usr/lib/a.so", Mem::new().file("/usr/lib/a.so", "").owned("/usr/lib/a.so", 0o777, 0, 0)),
            (
                "/etc/systemd/system",
                Mem::new().directory("/etc/systemd/system").owned("/etc/systemd/system", 0o777, 0, 0),
            ),
            (
                "/etc/shadow",
                Mem::new().file("/etc/shadow", "").owned("/etc/shadow", 0o660, 0, 42).xattr(
                    "/etc/shadow",
                    "system.posix_acl_access",
                    list(2, 6, 1000),
                ),
            ),
            (
                "/etc/cron.d",
                Mem::new().directory("/etc/cron.d").xattr(
                    "/etc/cron.d",
                    "system.posix_acl_default",
                    list(8, 7, 27),
                ),
            ),
            (
                "/root/.ssh/authorized_keys",
                Mem::new().file("/root/.ssh/authorized_keys", "").flagged("/root/.ssh/authorized_keys", 0x20),
            ),
        ] {
            let seen = check(host);
            let found = seen.alarms("foreign-rights");
            assert!(found.iter().any(|f| f.title.contains(path)), "{path}: {:?}", seen.findings);
        }
    }

    #[test]
    fn ordinary_rights_are_not() {
        let host = Mem::new()
            .directory("/var/spool/cron/crontabs")
            .owned("/var/spool/cron/crontabs", 0o1730, 0, 101)
            .file("/etc/x", "")
            .owned("/etc/x", 0o664, 0, 0)
            .symlink("/etc/l", "/tmp/x")
            .directory("/tmp/a")
            .owned("/tmp/a", 0o777, 33, 33)
            .file("/var/log/audit/audit.log", "x")
            .flagged("/var/log/audit/audit.log", 0x20)
            .file("/etc/acl", "")
            .owned("/etc/acl", 0o640, 0, 0)
            .xattr("/etc/acl", "system.posix_acl_access", list(2, 4, 1000));
        let seen = check(host);
        let bad: Vec<_> =
            seen.by("foreign-rights").into_iter().filter(|f| f.severity > Severity::Info).collect();
        assert!(bad.is_empty(), "{bad:#?}");
    }

    #[test]
    fn a_container_engines_own_device_is_told_from_others() {
        let engines: &[u8] = b"/var/lib/docker/volumes/backingFsBlockDev";
        assert!(is_for_quotas(engines, 0o600, 0));
        assert!(!is_for_quotas(engines, 0o660, 0) && !is_for_quotas(engines, 0o600, 33));
        assert!(!is_for_quotas(b"/var/lib/docker/volumes/sda", 0o600, 0));
        assert!(!is_for_quotas(b"/var/tmp/backingFsBlockDev", 0o600, 0));
    }
}
