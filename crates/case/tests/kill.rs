//! A writer that is killed at random moments always leaves a case that is whole to its last frame and goes on.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use calma_case::{Case, StreamState};
use common::*;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Names the case that this test's own program, started again, shall write into.
const FOLDER: &str = "CALMA_TEST_WRITES_INTO";

/// The writer that is killed: not a test of its own, it does nothing unless it is asked to.
#[test]
fn writer() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let case = Case::open(&folder).unwrap_or_else(|_| new_case(&folder));
    for round in 0.. {
        let mut writer = case.begin("collection").unwrap();
        let mut side = Side::default();
        writer.frame(&side.records([run()])).unwrap();
        for n in 0..40_u32 {
            let bytes = noise(3000, u64::from(n) + round * 100);
            writer.frame(&side.chunk(n, &bytes)).unwrap();
            writer.frame(&side.records([gap(u64::from(n)), account("root"), blob(n, &bytes)])).unwrap();
            writer.note(gap(7)).unwrap();
        }
        writer.seal().unwrap();
    }
}

fn killed_after(folder: &Path, microseconds: u64) {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program)
        .args(["writer", "--exact", "--quiet"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_micros(microseconds));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_writer_leaves_a_whole_case() {
    let folder = tempfile::tempdir().unwrap();
    let mut seed = 20_261_123_u64;
    let (mut torn_or_open, mut pieces, mut case_there) = (0, 0, 0);
    for round in 0..50 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let path = folder.path().join(format!("case-{}", round / 5));
        killed_after(&path, 2_000 + (seed >> 33) % 60_000);
        let Ok(case) = Case::open(&path) else {
            assert!(!path.exists(), "a folder that is no case was left in the case's place");
            continue;
        };
        case_there += 1;
        let result = case.verify().unwrap();
        assert!(!result.is_broken(), "round {round}: {result:#?}");
        torn_or_open +=
            result.streams.iter().filter(|(_, s)| matches!(s, StreamState::Unsealed { .. })).count();
        pieces += result.evidence.whole;
        for stream in case.streams().unwrap() {
            assert!(case.records(&stream).unwrap().all(|record| record.is_ok()));
        }
    }
    assert!(case_there > 20 && torn_or_open > 10 && pieces > 10, "{case_there} {torn_or_open} {pieces}");
    // And it goes on, naming what is there.
    for number in 0..10 {
        let Ok(case) = Case::open(&folder.path().join(format!("case-{number}"))) else { continue };
        let mut writer = case.begin("collection").unwrap();
        writer.frame(&Side::default().records([run()])).unwrap();
        writer.seal().unwrap();
        let result = case.verify().unwrap();
        assert!(!result.is_broken() && result.phrase.is_some());
    }
}
