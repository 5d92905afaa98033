//! What the tests of cases share: a host side made of values.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "test support"
)]

use calma_case::{About, Case, PlaceKind};
use calma_record::frame::{Decoder, Encoder, Frame, FrameKind, write_record};
use calma_record::{Blob, Body, Digest, Gap, Record, Run, Source, kinds};
use std::path::Path;

pub fn new_case(folder: &Path) -> Case {
    Case::create(folder, &About::new("0.1.0", "root@web1", PlaceKind::Named)).unwrap()
}

/// A host side that may say anything.
#[derive(Default)]
pub struct Side {
    encoder: Encoder,
    pub next: u64,
}

impl Side {
    pub fn raw(&mut self, kind: FrameKind, raw: &[u8]) -> Frame {
        let before = (self.encoder.head(), self.encoder.frames());
        let stored = match kind {
            FrameKind::Seal => raw.to_vec(),
            _ => zstd::bulk::compress(raw, 1).unwrap(),
        };
        self.encoder = Encoder::resume(before.0, before.1);
        let length = u32::try_from(raw.len()).unwrap();
        self.encoder.encode_stored(kind, length, &stored).unwrap();
        Frame { kind, seq: before.1, raw_length: length, stored, head: self.encoder.head() }
    }

    pub fn records(&mut self, bodies: impl IntoIterator<Item = Body>) -> Frame {
        let mut lines = Vec::new();
        for body in bodies {
            write_record(&Record { seq: self.next, body }, &mut lines).unwrap();
            self.next += 1;
        }
        self.raw(FrameKind::Records, &lines)
    }

    pub fn chunk(&mut self, id: u32, bytes: &[u8]) -> Frame {
        self.raw(FrameKind::Chunk, &[&id.to_le_bytes(), bytes].concat())
    }
}

pub fn run() -> Body {
    Body::Run(Box::new(Run {
        schema: 1,
        version: "0.1.0".to_owned(),
        target: "live".to_owned(),
        ..Run::default()
    }))
}

pub fn gap(n: u64) -> Body {
    Body::Gap(Gap::new("open files", "permission denied").at(format!("/proc/{n}")))
}

pub fn account(name: &str) -> Body {
    Body::Fact {
        from: Source::file("/etc/passwd"),
        fact: Box::new(kinds::Account { name: name.into(), ..Default::default() }.into()),
    }
}

pub fn blob(id: u32, bytes: &[u8]) -> Body {
    Body::Blob(Blob {
        id,
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        what: "program of process 7".to_owned(),
        place: "/tmp/x".into(),
        pid: Some(7),
        partial: false,
    })
}

/// Bytes that do not compress.
pub fn noise(length: usize, mut seed: u64) -> Vec<u8> {
    (0..length)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        })
        .collect()
}

/// A sealed case with streams that have a piece of evidence and a keeper's note each.
pub fn sealed(folder: &Path, streams: u64) -> Case {
    let case = new_case(folder);
    for n in 0..streams {
        let mut side = Side::default();
        let mut writer = case.begin("collection").unwrap();
        let bytes = noise(100, n);
        writer.frame(&side.records([run(), account("root"), gap(n)])).unwrap();
        writer.frame(&side.chunk(3, &bytes)).unwrap();
        writer.frame(&side.records([blob(3, &bytes)])).unwrap();
        writer.note(Body::Gap(Gap::new("the rest", "the connection was lost").important())).unwrap();
        writer.seal().unwrap();
    }
    case
}

pub fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut decoder = Decoder::new(bytes);
    std::iter::from_fn(|| decoder.next_frame().ok().flatten()).collect()
}
