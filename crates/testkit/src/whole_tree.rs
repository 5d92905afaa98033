//! Everything about every file of a victim, and what a login there writes by itself.

use crate::bed::Bed;
use std::collections::BTreeMap;

/// What sshd, PAM, logind, sudo and the loggers write themselves when somebody logs in. Nothing else may change.
const WRITTEN_BY_LOGIN: &[&str] = &[
    "/var/log/",     // journal, auth.log, wtmp, lastlog, btmp
    "/run/systemd/", // sessions, users, units of the session
    "/run/user/",    // the session's runtime folder
    "/run/utmp",
    "/run/log/journal/",
    "/run/sudo/", // sudo's timestamps
    "/run/motd.dynamic",
    "/run/dbus/",
    "/run/sshd",
    "/var/lib/sudo/", // sudo's lecture
    "/var/lib/systemd/linger",
    "/tmp/systemd-private", // folders of services that logind starts
    "/var/tmp/systemd-private",
    "/run/credentials/",
];

/// Every file's kind, mode, owner, size, times of change and content, without times of access.
pub fn dump(bed: &Bed) -> BTreeMap<String, String> {
    let script = "find / -xdev \\( -path /proc -o -path /sys \\) -prune -o -printf '%p\\t%y %m %U %G %s %T@ %C@ %l\\0'; \
                  for d in /run /tmp /dev/shm /var/tmp; do find $d -printf '%p\\t%y %m %U %G %s %T@ %C@ %l\\0'; done";
    let output = bed.run(script);
    let text = output.text();
    text.split('\0')
        .filter_map(|line| line.split_once('\t'))
        .map(|(path, rest)| (path.to_owned(), rest.to_owned()))
        .collect()
}

/// What differs between two of them, a line each that begins with the path.
pub fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let mut all: Vec<String> = after
        .iter()
        .filter(|(path, what)| before.get(*path) != Some(what))
        .map(|(path, what)| {
            format!("{path}: {} → {what}", before.get(path).map_or("nothing", String::as_str))
        })
        .collect();
    all.extend(
        before.keys().filter(|path| !after.contains_key(*path)).map(|path| format!("{path}: removed")),
    );
    all
}

/// Whether a line of [`changed`] is about what sshd, PAM, logind, sudo and the loggers write themselves.
pub fn is_written_by_login(line: &str) -> bool {
    WRITTEN_BY_LOGIN.iter().any(|path| line.starts_with(path)) || is_parent_of_written(line)
}

/// The folders that hold those files, and /dev/shm, in which calma's program stood: only their times change.
fn is_parent_of_written(line: &str) -> bool {
    let path = line.split(": ").next().unwrap_or(line);
    ["/run", "/run/user", "/run/systemd", "/var/log", "/run/sudo", "/tmp", "/var/tmp", "/dev/shm"]
        .contains(&path)
}
