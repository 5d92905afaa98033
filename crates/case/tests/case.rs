//! A case from its making to its check.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use calma_case::{About, Case, CaseError, KEEPER, PlaceKind, StreamState};
use calma_record::frame::FrameKind;
use calma_record::{Body, Digest, StreamName};
use common::*;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

fn name(name: &str) -> StreamName {
    StreamName(name.to_owned())
}

#[test]
fn what_was_written_comes_back_and_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/case");
    let case = sealed(&path, 2);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(case.streams().unwrap(), [name("collection-1"), name("collection-2")]);
    let records: Vec<_> = case.records(&name("collection-1")).unwrap().map(Result::unwrap).collect();
    assert_eq!(records.iter().map(|r| r.seq).collect::<Vec<_>>(), [0, 1, 2, 3, KEEPER]);
    assert_eq!(records[2].body, gap(0));
    let bytes = noise(100, 1);
    let mut read = Vec::new();
    case.evidence(&Digest::of(&bytes)).unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read, bytes);
    let opening = case.opening(&name("collection-2")).unwrap().unwrap();
    assert_eq!(opening.earlier.len(), 1);
    let result = case.verify().unwrap();
    assert!(result.is_sealed(), "{result:#?}");
    assert_eq!((result.evidence.whole, result.evidence.bytes, result.strays.len()), (2, 200, 0));
}

#[test]
fn phrases_of_earlier_seals_stay_valid() {
    let folder = tempfile::tempdir().unwrap();
    let case = new_case(&folder.path().join("case"));
    let mut phrases = Vec::new();
    for _ in 0..3 {
        let mut writer = case.begin("collection").unwrap();
        writer.frame(&Side::default().records([run()])).unwrap();
        phrases.push(writer.seal().unwrap().phrase);
    }
    let result = case.verify().unwrap();
    let states: Vec<_> = result
        .streams
        .iter()
        .map(|(_, state)| match state {
            StreamState::Sealed { phrase, .. } => phrase.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(states, phrases);
    assert_eq!(result.phrase.as_ref(), phrases.last());
    assert_eq!(phrases[0].split('-').count(), 6);
    std::fs::remove_file(case.folder().join("streams/collection-2.calma")).unwrap();
    assert!(case.verify().unwrap().is_broken());
}

#[test]
fn folders_that_are_something_else_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let about = calma_case::About::new("0", "x", calma_case::PlaceKind::Named);
    assert!(matches!(Case::create(folder.path(), &about), Err(CaseError::InTheWay(_))));
    assert!(matches!(Case::open(folder.path()), Err(CaseError::NotACase(_))));
    let path = folder.path().join("case");
    new_case(&path);
    assert!(matches!(Case::create(&path, &about), Err(CaseError::AlreadyThere(_))));
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("/nowhere", &link).unwrap();
    assert!(matches!(Case::create(&link, &about), Err(CaseError::InTheWay(_))));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing unfinished is left");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(Case::open(&path).unwrap().begin("x"), Err(CaseError::NotOurs(_))));
}

#[test]
fn one_writer_a_kind() {
    let folder = tempfile::tempdir().unwrap();
    let case = new_case(&folder.path().join("case"));
    let writer = case.begin("collection").unwrap();
    assert!(matches!(case.begin("collection"), Err(CaseError::Busy)));
    let journal = case.begin("journal").unwrap();
    writer.seal().unwrap();
    case.begin("collection").unwrap().seal().unwrap();
    journal.seal().unwrap();
    assert!(case.verify().unwrap().is_sealed());
    for kind in ["", "../x", "A", "a/b", "a\n"] {
        assert!(case.begin(kind).is_err() || kind.is_empty(), "{kind:?}");
    }
}

/// Every file of a case.
fn files(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

#[test]
fn any_flipped_bit_of_a_sealed_case_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let case = sealed(&folder.path().join("case"), 1);
    let mut all = Vec::new();
    files(case.folder(), &mut all);
    assert_eq!(all.len(), 4);
    let mut flips = 0;
    for file in all {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        // The text for people is pinned by a digest alone: one bit of each byte is enough there.
        let step = if file.ends_with("README.txt") { 9 } else { 1 };
        for bit in (0..bytes.len() * 8).step_by(step) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&file, &flipped).unwrap();
            let found = Case::open(case.folder()).and_then(|case| case.verify()).is_ok_and(|v| v.is_sealed());
            assert!(!found, "{} bit {bit}", file.display());
            flips += 1;
        }
        std::fs::write(&file, &bytes).unwrap();
    }
    assert!(case.verify().unwrap().is_sealed());
    assert!(flips > 5_000);
}

#[test]
fn a_cut_stream_is_whole_to_its_last_frame() {
    let folder = tempfile::tempdir().unwrap();
    let case = sealed(&folder.path().join("case"), 2);
    let file = case.folder().join("streams/collection-2.calma");
    let bytes = std::fs::read(&file).unwrap();
    let whole = frames(&bytes).len() as u64;
    for length in 0..bytes.len() {
        std::fs::write(&file, &bytes[..length]).unwrap();
        let result = case.verify().unwrap();
        assert!(!result.is_broken(), "{result:#?}");
        let StreamState::Unsealed { frames, .. } = result.streams[1].1 else { panic!("{result:?}") };
        assert!(frames < whole);
        assert!(case.records(&name("collection-2")).unwrap().all(|record| record.is_ok()));
    }
    // A later run names what is there and goes on.
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let mut writer = case.begin("collection").unwrap();
    writer.frame(&Side::default().records([run()])).unwrap();
    writer.seal().unwrap();
    let result = case.verify().unwrap();
    assert!(!result.is_broken() && !result.is_sealed(), "{result:#?}");
    assert!(result.phrase.is_some());
}

#[test]
fn a_removed_case_is_an_error_not_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    let case = new_case(&folder.path().join("case"));
    let mut writer = case.begin("collection").unwrap();
    std::fs::remove_dir_all(case.folder()).unwrap();
    let mut side = Side::default();
    assert!(matches!(writer.frame(&side.records([run()])), Err(CaseError::Removed(_))));
    assert!(matches!(writer.note(gap(0)), Err(CaseError::Removed(_))));
    assert!(writer.seal().is_err());
    assert!(case.begin("collection").is_err());
}

#[test]
fn an_unknown_record_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let case = new_case(&folder.path().join("case"));
    let mut writer = case.begin("collection").unwrap();
    let frame = Side::default().raw(FrameKind::Records, b"{\"seq\":0,\"omen\":{\"bird\":\"raven\"}}\n");
    writer.frame(&frame).unwrap();
    writer.seal().unwrap();
    let record = case.records(&name("collection-1")).unwrap().next().unwrap().unwrap();
    assert!(matches!(record.body, Body::Unknown(_)));
}

#[test]
fn a_journal_takes_more_at_once_than_one_frame_holds() {
    use calma_record::step::Entry;
    let folder = tempfile::tempdir().unwrap();
    let case = Case::create(&folder.path().join("case"), &About::new("0", "test", PlaceKind::Named)).unwrap();
    let mut journal = case.journal().unwrap();
    let note = |id| Entry::Progress { id, note: serde_json::json!("x".repeat(1 << 20)) };
    journal.write((0..12).map(note).collect()).unwrap();
    journal.seal().unwrap();
    let entries = case.journal_entries().unwrap();
    assert_eq!(entries, (0..12).map(note).collect::<Vec<_>>());
    assert!(case.verify().unwrap().is_sealed());
}
