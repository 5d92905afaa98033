//! What the tests of the engine share: namespaces of their own, a tree with an intrusion's files, and full looks at it.
#![allow(dead_code, reason = "each test file uses its part")]

use calma_case::{About, Case, PlaceKind};
use calma_host::ground::{boot, process, processes};
use calma_record::step::{Plan, Step, Target};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

const INSIDE: &str = "CALMA_TEST_INSIDE";

/// Runs a test again in pid, mount and network namespaces of its own, with a /run of its own, once that is seen to be so.
pub(crate) fn isolated(name: &str, work: impl FnOnce()) {
    let own =
        || ["pid", "mnt", "net"].map(|kind| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap());
    if let Some(outer) = std::env::var_os(INSIDE) {
        let outer = outer.to_string_lossy().into_owned();
        assert!(own().iter().all(|namespace| !outer.contains(&namespace.display().to_string())));
        return work();
    }
    if std::env::var_os("CALMA_NO_ROOT").is_some() {
        eprintln!("skipped: {name} (CALMA_NO_ROOT is set)");
        return;
    }
    let outer = own().map(|namespace| namespace.display().to_string()).join(" ");
    let status = Command::new("unshare")
        .args(["--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-c", "mount -t tmpfs none /run && \"$@\"; exit $?", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads", "1"])
        .env(INSIDE, outer)
        .status()
        .unwrap();
    assert!(status.success(), "{name} failed in its namespaces");
}

pub(crate) fn step(action: &str, target: Target) -> Step {
    Step {
        number: 0,
        action: action.to_owned(),
        target,
        story: 1,
        findings: vec!["x".to_owned()],
        ticked: true,
        doubt: String::new(),
    }
}

pub(crate) fn file(path: &Path) -> Target {
    Target::File { path: path.to_str().unwrap().into(), seen: None }
}

/// A tree with an intrusion's files; its processes are asked for by `victim`.
pub(crate) fn build(at: &Path) {
    if at.exists() {
        std::fs::remove_dir_all(at).unwrap();
    }
    for folder in ["etc", "var"] {
        std::fs::create_dir_all(at.join(folder)).unwrap();
    }
    for number in 0..12_u32 {
        let path = at.join(format!("var/file-{number}"));
        std::fs::write(&path, vec![number as u8; 1000 * number as usize]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600 + number % 8)).unwrap();
        std::os::unix::fs::chown(&path, Some(number), Some(number + 1)).unwrap();
        age(&path, 1_000_000_000 + i64::from(number));
    }
    for name in ["crontab", "profile"] {
        std::fs::write(at.join("etc").join(name), format!("# {name}\nevil line\nkept\n")).unwrap();
        age(&at.join("etc").join(name), 1_100_000_000);
    }
    ["etc", "var", ""].iter().for_each(|folder| age(&at.join(folder), 900_000_000));
}

pub(crate) fn age(path: &Path, seconds: i64) {
    let status =
        Command::new("touch").args(["-d", &format!("@{seconds}.123456789")]).arg(path).status().unwrap();
    assert!(status.success());
}

pub(crate) fn dump(at: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut folders = vec![at.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).chain([folder.clone()])
        {
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let bytes = if meta.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            lines.push(format!(
                "{} {:o} {}:{} {}.{} {} {}",
                path.display(),
                meta.mode(),
                meta.uid(),
                meta.gid(),
                meta.mtime(),
                meta.mtime_nsec(),
                calma_record::Digest::of(&bytes),
                if meta.is_file() { meta.nlink() } else { 0 }
            ));
            if meta.is_dir() && path != folder {
                folders.push(path);
            }
        }
    }
    lines.sort();
    lines.dedup();
    lines
}

pub(crate) fn plan(at: &Path, victim: Option<u32>) -> Plan {
    let mut steps = Vec::new();
    if let Some(victim) = victim {
        let name = process(victim).unwrap().identity();
        steps.push(step("freeze", Target::Tree(name.clone())));
        steps.push(step("preserve", Target::Tree(name)));
    }
    for name in ["crontab", "profile"] {
        let path = at.join("etc").join(name).to_str().unwrap().into();
        steps.push(step(
            "edit-line",
            Target::Line { path, line: "evil line".into(), instead: None, seen: None },
        ));
    }
    for number in 0..12 {
        steps.push(step("quarantine", file(&at.join(format!("var/file-{number}")))));
    }
    for (number, step) in (1..).zip(&mut steps) {
        step.number = number;
    }
    Plan { schema: 1, host: "test".into(), boot: boot(), made: calma_case::now(), steps }
}

pub(crate) fn case(folder: &Path) -> Case {
    Case::open(folder)
        .unwrap_or_else(|_| Case::create(folder, &About::new("0", "test", PlaceKind::Named)).unwrap())
}

pub(crate) fn victim() -> u32 {
    let mut command = Command::new("setsid");
    command
        .args(["sh", "-c", "sleep 1000 & while :; do sleep 0.05; done"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.spawn().unwrap().id()
}

pub(crate) fn stopped(session: u32) -> usize {
    processes().unwrap().iter().filter(|line| line.session == session && line.state == b'T').count()
}
