//! What leaves a case.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use calma_case::{Case, ExportForm, ExportOptions};
use calma_record::frame::FrameKind;
use calma_record::{Body, Column, Role, Schema, Source, kinds};
use common::*;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

#[test]
fn a_tar_archive_verifies_where_it_is_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let case = sealed(&folder.path().join("web1-2026-11-23"), 2);
    let mut archive = Vec::new();
    case.export(&mut archive, ExportOptions::default()).unwrap();
    assert_eq!(archive.len() % 512, 0);
    let (file, to) = (folder.path().join("case.tar"), folder.path().join("unpacked"));
    std::fs::write(&file, archive).unwrap();
    std::fs::create_dir(&to).unwrap();
    let tar = Command::new("tar").arg("-xf").arg(&file).arg("-C").arg(&to).status().unwrap();
    assert!(tar.success());
    let copy = Case::open(&to.join("web1-2026-11-23")).unwrap();
    assert_eq!(copy.verify().unwrap(), case.verify().unwrap());
    assert_eq!(copy.folder().metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

fn lines(case: &Case, secrets: bool) -> String {
    let mut out = Vec::new();
    case.export(&mut out, ExportOptions { form: ExportForm::JsonLines, secrets }).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).unwrap()));
    text
}

#[test]
fn secrets_stay_out_of_json_lines() {
    let folder = tempfile::tempdir().unwrap();
    let case = new_case(&folder.path().join("case"));
    let (mut side, mut writer) = (Side::default(), case.begin("collection").unwrap());
    let file =
        kinds::File { path: "/opt/run.sh".into(), text: Some("hunter1".into()), ..kinds::File::default() };
    // A host side may call a secret harmless; that does not make it so.
    let forged = Schema {
        kind: "file".to_owned(),
        doc: String::new(),
        columns: vec![Column { tag: 17, name: "text".to_owned(), role: Role::Plain, doc: String::new() }],
    };
    writer.frame(&side.records([run(), Body::Schema(Box::new(forged))])).unwrap();
    let from = Source::file("/opt/run.sh");
    writer.frame(&side.records([Body::Fact { from, fact: Box::new(file.into()) }])).unwrap();
    // Kinds and records of a newer calma: one with a schema of its own, others without.
    let newer = [
        r#"{"schema":{"kind":"omen","doc":"","columns":[{"tag":1,"name":"bird","role":"plain","doc":""},{"tag":2,"name":"word","role":"secret","doc":""}]}}"#,
        r#"{"fact":{"from":{"place":"/x","view":"file","forger":"root"},"is":{"omen":{"bird":"raven","word":"hunter2","new":"hunter3"}}}}"#,
        r#"{"fact":{"from":{"place":"/x","view":"file","forger":"root"},"is":{"sign":{"word":"hunter4"}}}}"#,
        r#"{"fact":{"from":{"place":"/x","view":"file","forger":"root"},"is":"hunter5"}}"#,
        r#"{"saying":"hunter6"}"#,
    ];
    let mut text = String::new();
    for line in newer {
        text.push_str(&format!("{{\"seq\":{},{}\n", side.next, line.strip_prefix('{').unwrap()));
        side.next += 1;
    }
    writer.frame(&side.raw(FrameKind::Records, text.as_bytes())).unwrap();
    writer.seal().unwrap();
    let redacted = lines(&case, false);
    assert!(!redacted.contains("hunter"), "{redacted}");
    assert!(redacted.contains("/opt/run.sh") && redacted.contains("raven"));
    let whole = lines(&case, true);
    for n in 1..=6 {
        assert!(whole.contains(&format!("hunter{n}")), "hunter{n}");
    }
}

#[test]
fn random_flips_in_a_larger_case_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let case = new_case(&folder.path().join("case"));
    let mut side = Side::default();
    let mut writer = case.begin("collection").unwrap();
    for n in 0..30_u32 {
        let bytes = noise(20_000, n.into());
        writer.frame(&side.chunk(n, &bytes)).unwrap();
        writer.frame(&side.records((0..200).map(|m| account(&format!("a{n}-{m}"))))).unwrap();
        writer.frame(&side.records([blob(n, &bytes)])).unwrap();
    }
    writer.seal().unwrap();
    let mut files = vec![case.folder().join("streams/collection-1.calma")];
    for entry in std::fs::read_dir(case.folder().join("evidence")).unwrap() {
        files.extend(std::fs::read_dir(entry.unwrap().path()).unwrap().map(|file| file.unwrap().path()));
    }
    assert_eq!(files.len(), 31);
    let mut seed = 3_u64;
    for round in 0..60 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The stream half of the time, the pieces the other half.
        let file = if round % 2 == 0 { &files[0] } else { &files[1 + (seed >> 50) as usize % 30] };
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut bytes = std::fs::read(file).unwrap();
        let bit = (seed >> 20) as usize % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(file, &bytes).unwrap();
        assert!(!case.verify().unwrap().is_sealed(), "{} bit {bit}", file.display());
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(file, &bytes).unwrap();
    }
    assert!(case.verify().unwrap().is_sealed());
}
