//! `calma at` through an `ssh` made of a shell script: banners, cuts, reconnects, and nothing left behind.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use calma_case::{Case, StreamState};
use calma_record::Body;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

/// Places where the program stands until it is started.
const PLACES: [&str; 4] = ["/dev/shm", "/run", "/var/tmp", "/tmp"];

/// Looks at a small tree "over there"; `ssh` is the script's body, with the remote line in `$last`.
fn at(folder: &Path, ssh: &str) -> Output {
    let (root, bin) = (folder.join("root"), folder.join("bin"));
    std::fs::create_dir_all(root.join("etc")).unwrap();
    std::fs::create_dir_all(root.join("usr/bin")).unwrap();
    std::fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
    std::fs::create_dir_all(&bin).unwrap();
    let script = format!("#!/bin/sh\ncount={0}/count\nfor last; do :; done\n{ssh}\n", folder.display());
    std::fs::write(bin.join("ssh"), script).unwrap();
    std::fs::set_permissions(bin.join("ssh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    Command::new(env!("CARGO_BIN_EXE_calma"))
        .args(["at", "--allow-disk", "root@web1", "triage", "--hurry", "--root"])
        .arg(&root)
        .arg("--case")
        .arg(folder.join("case"))
        .env("PATH", path)
        .output()
        .unwrap()
}

fn left() -> BTreeSet<String> {
    let mut left = BTreeSet::new();
    for place in PLACES {
        for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(".calma-") {
                left.insert(format!("{place}/{name}"));
            }
        }
    }
    left
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn words_before_the_stream_are_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let output = at(folder.path(), "echo Welcome; head -c 2000 /dev/urandom; exec sh -c \"$last\"");
    assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{}", text(&output));
    let case = Case::open(&folder.path().join("case")).unwrap();
    assert!(case.verify().unwrap().is_sealed());
    let stream = &case.streams().unwrap()[0];
    let said = case.records(stream).unwrap().any(|record| match record.unwrap().body {
        Body::Unknown(value) => {
            value["said-before-the-stream"].as_str().is_some_and(|s| s.starts_with("Welcome"))
        }
        _ => false,
    });
    assert!(said);
}

#[test]
fn a_cut_connection_is_taken_up_again() {
    for bytes in [500, 3000, 6000] {
        let folder = tempfile::tempdir().unwrap();
        let ssh = format!(
            "echo x >>\"$count\"; [ $(wc -l <\"$count\") -gt 2 ] && exec sh -c \"$last\"; \
             sh -c \"$last\" | head -c {bytes}; exit 255"
        );
        let output = at(folder.path(), &ssh);
        assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{}", text(&output));
        assert!(text(&output).contains("was cut"), "{}", text(&output));
        let case = Case::open(&folder.path().join("case")).unwrap();
        let result = case.verify().unwrap();
        assert!(result.is_sealed() && result.streams.len() == 3, "{result:#?}");
        assert!(result.streams.iter().all(|(_, state)| matches!(state, StreamState::Sealed { .. })));
        let last = case.records(&result.streams[2].0).unwrap().map(Result::unwrap);
        assert!(last.into_iter().any(|record| matches!(record.body, Body::End(end) if end.complete)));
    }
    // The host side ends within five seconds of its input; what it stood in was gone from the start.
    // Another look may be on its way at this moment.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !left().is_empty() && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(left(), BTreeSet::new());
}

#[test]
fn what_does_not_work_is_said() {
    for (ssh, words) in [
        ("echo no route >&2; exit 255", "no route"),
        ("echo 'sudo: a password is required' >&2; exit 1", "password"),
        ("exit 91", "run a program"),
        ("cat /dev/zero", "without end"),
        ("printf '\\033[2Jx' >&2; exit 3", "\\x1b[2Jx"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = at(folder.path(), ssh);
        assert!(matches!(output.status.code(), Some(4 | 5)), "{}", text(&output));
        let flat = text(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{ssh}: {flat}");
        assert!(!folder.path().join("case").exists(), "nothing came, nothing is kept");
    }
}
