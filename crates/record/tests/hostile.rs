//! Feeds what reads the stream, truncated and mutated: a host side may send anything, and a case may have been touched.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

#[path = "../../formats/tests/mutate/mod.rs"]
mod mutate;

use calma_record::frame::{Decoder, Encoder, FrameKind, PREAMBLE, read_records, write_record};
use calma_record::{Body, Fact, Gap, Record, Source, View, kinds};
use mutate::{Random, mutated, truncated};

/// Records with rows of several shapes.
fn lines() -> Vec<u8> {
    let from = Source::kernel(View::CrossView, "/proc/9");
    let facts: [Fact; 2] = [kinds::Process::default().into(), kinds::Socket::default().into()];
    let mut bodies: Vec<Body> =
        facts.into_iter().map(|fact| Body::Fact { from: from.clone(), fact: Box::new(fact) }).collect();
    bodies.push(Body::Gap(Gap::new("open files", "permission denied").at(b"/\xff\x1b")));
    let mut lines = Vec::new();
    for (seq, body) in (0..).zip(bodies) {
        write_record(&Record { seq, body }, &mut lines).unwrap();
    }
    lines
}

fn stream() -> Vec<u8> {
    let mut encoder = Encoder::default();
    let mut bytes = PREAMBLE.to_vec();
    for _ in 0..3 {
        bytes.extend(encoder.encode(FrameKind::Records, &lines()).unwrap());
    }
    bytes
}

fn read(bytes: &[u8]) {
    let mut decoder = Decoder::new(bytes.strip_prefix(PREAMBLE.as_slice()).unwrap_or(bytes));
    while let Ok(Some(frame)) = decoder.next_frame() {
        if let Ok(raw) = frame.raw() {
            read_records(&raw).for_each(drop);
        }
    }
}

#[test]
fn streams_are_survived() {
    let stream = stream();
    truncated(&[&stream], &read);
    mutated("stream", &[&stream], &mut Random(0xf0a3), &read);
}

/// The chain is right, what it holds is not: whoever sends it may compute as well as calma.
#[test]
fn frames_of_a_liar_are_survived() {
    let first = Encoder::default().encode(FrameKind::Records, &lines()).unwrap();
    let honest = Decoder::new(first.as_slice()).next_frame().unwrap().unwrap();
    let feed = |stored: &[u8]| {
        for length in [0, honest.raw_length, 1 << 20] {
            if let Ok(bytes) = Encoder::default().encode_stored(FrameKind::Records, length, stored) {
                read(&bytes);
            }
        }
    };
    truncated(&[&honest.stored], &feed);
    mutated("payload", &[&honest.stored], &mut Random(0x7e11), &feed);
}

#[test]
fn lines_of_records_are_survived() {
    let feed = |bytes: &[u8]| read_records(bytes).for_each(drop);
    let lines = lines();
    truncated(&[&lines], &feed);
    mutated("records", &[&lines], &mut Random(0x11ae), &feed);
}
