//! The built binary, killed on either side at fifty seeded moments: the case is always whole to its last frame, and goes on.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use calma_case::{Case, StreamState};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: u64 = 50;

/// A small tree to look at.
fn tree(folder: &Path) {
    for name in ["etc/cron.d", "usr/bin", "var/lib", "root/.ssh"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    std::fs::write(folder.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
    for n in 0..200 {
        std::fs::write(folder.join(format!("etc/cron.d/job-{n}")), "1 2 3 4 5 root /opt/x\n").unwrap();
    }
}

fn triage(root: &Path, case: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calma"));
    command.args(["triage", "--hurry", "--root"]).arg(root).arg("--case").arg(case);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The process that `keeper` started, once it is there.
fn host_side(keeper: &Child) -> Option<String> {
    let children = format!("/proc/{0}/task/{0}/children", keeper.id());
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        let text = std::fs::read_to_string(&children).ok()?;
        if let Some(pid) = text.split_whitespace().next() {
            return Some(pid.to_owned());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}

/// How long a whole run takes here and now, so that the moments fall into it.
fn length(root: &Path, case: &Path) -> u64 {
    let began = Instant::now();
    triage(root, case).status().unwrap();
    u64::try_from(began.elapsed().as_micros()).unwrap()
}

/// Waits until a stream is being written, so that half of the moments surely fall into that.
fn writing(case: &Path) {
    let until = Instant::now() + Duration::from_secs(5);
    let there = || std::fs::read_dir(case.join("streams")).is_ok_and(|mut streams| streams.next().is_some());
    while !there() && Instant::now() < until {
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn killed(mut kill: impl FnMut(&mut Child, Duration)) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    tree(&root);
    let length = length(&root, &folder.path().join("whole"));
    let mut seed = 8_u64;
    let mut unfinished = 0;
    for round in 0..ROUNDS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let path = folder.path().join(format!("case-{round}"));
        let mut keeper = triage(&root, &path).spawn().unwrap();
        let mut moment = Duration::from_micros((seed >> 33) % length);
        if round % 2 == 0 {
            writing(&path);
            moment /= 4;
        }
        kill(&mut keeper, moment);
        keeper.wait().unwrap();
        let Ok(case) = Case::open(&path) else {
            assert!(!path.exists(), "what stands in the case's place is no case");
            continue;
        };
        let result = case.verify().unwrap();
        assert!(!result.is_broken(), "round {round}: {result:#?}");
        unfinished +=
            u64::from(result.streams.iter().any(|(_, state)| matches!(state, StreamState::Unsealed { .. })));
        for stream in case.streams().unwrap() {
            assert!(case.records(&stream).unwrap().all(|record| record.is_ok()), "round {round}");
        }
        // A second look goes on in the same case.
        if round % 5 == 0 {
            let status = triage(&root, &path).status().unwrap();
            assert!(matches!(status.code(), Some(0 | 1 | 3)), "round {round}: {status}");
            let after = case.verify().unwrap();
            assert!(!after.is_broken() && after.phrase.is_some(), "round {round}: {after:#?}");
            assert!(after.streams.len() > result.streams.len());
        }
    }
    eprintln!("{unfinished} of {ROUNDS} were killed while a stream was being written");
}

#[test]
fn the_keeper() {
    killed(|keeper, moment| {
        std::thread::sleep(moment);
        keeper.kill().unwrap();
    });
}

#[test]
fn the_host_side() {
    killed(|keeper, moment| {
        let Some(pid) = host_side(keeper) else { return };
        std::thread::sleep(moment);
        // It is this test's own grandchild, and may have ended by itself.
        let _ = Command::new("kill").args(["-9", &pid]).stderr(Stdio::null()).status();
    });
}
