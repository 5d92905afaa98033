//! A disk that fills up under a case. Needs root: it mounts a small file system in a mount namespace of its own.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use calma_record::Digest;
use common::*;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, mount_remount, unmount,
};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;

/// Names the folder that this test's own program, started again in its own mount namespace, may mount over.
const FOLDER: &str = "CALMA_TEST_MOUNTS_OVER";
/// The mount namespace of the test that started it.
const OUTSIDE: &str = "CALMA_TEST_OUTSIDE";

fn namespace() -> PathBuf {
    std::fs::read_link("/proc/self/ns/mnt").unwrap()
}

#[test]
fn what_is_there_stays_whole_and_a_later_attempt_works() {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("unshare")
        .args(["--mount", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["inside", "--exact", "--nocapture"])
        .env(FOLDER, folder.path())
        .env(OUTSIDE, namespace())
        .status()
        .unwrap();
    assert!(status.success());
}

/// Not a test of its own: does nothing unless it was started by the one above.
#[test]
fn inside() {
    let (Some(folder), Some(outside)) = (std::env::var_os(FOLDER), std::env::var_os(OUTSIDE)) else { return };
    assert_ne!(namespace(), PathBuf::from(outside), "only in a mount namespace of its own");
    let folder = PathBuf::from(folder);
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    mount("small", &folder, "tmpfs", MountFlags::NODEV | MountFlags::NOSUID, Some(c"size=512k")).unwrap();
    records(&folder.join("a"));
    evidence(&folder.join("b"));
    read_only(&folder);
    unmount(&folder, UnmountFlags::DETACH).unwrap();
}

/// Fills the disk up to the last byte.
fn fill(folder: &std::path::Path) -> PathBuf {
    let ballast = folder.parent().unwrap().join("ballast");
    // The error is the point: the disk is full now.
    let _ = std::fs::write(&ballast, vec![1; 4 << 20]);
    ballast
}

fn records(folder: &std::path::Path) {
    let case = new_case(folder);
    let (mut side, mut writer) = (Side::default(), case.begin("collection").unwrap());
    writer.frame(&side.records([run()])).unwrap();
    let ballast = fill(folder);
    let (mut written, mut refused) = (1, 0);
    // Each frame that does not fit is given again once there is room.
    for n in 0..40 {
        let text = noise(6000, n).iter().map(|b| format!("{b:02x}")).collect::<String>();
        let frame = side.records([account(&text)]);
        if let Err(error) = writer.frame(&frame) {
            assert!(error.is_full() && error.hint().is_some(), "{error}");
            refused += 1;
            let result = case.verify().unwrap();
            assert!(!result.is_broken(), "{result:#?}");
            assert_eq!(records_in(&case), written);
            if ballast.exists() {
                std::fs::remove_file(&ballast).unwrap();
            }
            writer.frame(&frame).unwrap();
        }
        written += 1;
    }
    assert!(refused > 0);
    writer.seal().unwrap();
    assert!(case.verify().unwrap().is_sealed());
    assert_eq!(records_in(&case), 41);
    std::fs::remove_dir_all(folder).unwrap();
}

fn records_in(case: &calma_case::Case) -> usize {
    case.records(&case.streams().unwrap()[0]).unwrap().map(Result::unwrap).count()
}

fn evidence(folder: &std::path::Path) {
    let case = new_case(folder);
    let (mut side, mut writer) = (Side::default(), case.begin("collection").unwrap());
    let small = noise(10_000, 1);
    writer.frame(&side.chunk(1, &small)).unwrap();
    writer.frame(&side.records([blob(1, &small)])).unwrap();
    // More than half of the free space is never taken, and a gap says so.
    for n in 0..20 {
        writer.frame(&side.chunk(2, &noise(50_000, n))).unwrap();
    }
    let ballast = fill(folder);
    let chunk = side.chunk(3, &noise(300_000, 7));
    let full = writer.frame(&chunk);
    assert!(full.is_ok() || full.is_err_and(|error| error.is_full()));
    std::fs::remove_file(ballast).unwrap();
    writer.frame(&side.records([blob(3, &small)])).unwrap();
    writer.seal().unwrap();
    let result = case.verify().unwrap();
    assert!(result.is_sealed() && result.evidence.whole >= 1, "{result:#?}");
    let mut bytes = Vec::new();
    case.evidence(&Digest::of(&small)).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, small);
    std::fs::remove_dir_all(folder).unwrap();
}

/// A case on a disk that became read-only: a clear error, and it can still be read.
fn read_only(folder: &std::path::Path) {
    let case = sealed(&folder.join("c"), 1);
    mount_remount(folder, MountFlags::RDONLY, "").unwrap();
    let error = case.begin("collection").unwrap_err();
    assert!(error.to_string().contains("collection-2"), "{error}");
    assert!(case.verify().unwrap().is_sealed());
}
