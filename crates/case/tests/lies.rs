//! A host side that lies can only add to its own stream, within bounds.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use calma_case::{Case, CaseError};
use calma_record::frame::{Decoder, Encoder, Frame, FrameKind};
use calma_record::{Blob, Body, Digest, Gap, Record, StreamName};
use common::*;
use std::io::Read as _;

fn in_case<T>(test: impl FnOnce(&Case) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    test(&new_case(&folder.path().join("case")))
}

fn records(case: &Case, name: &str) -> Vec<Record> {
    case.records(&StreamName(name.to_owned())).unwrap().map(Result::unwrap).collect()
}

fn gaps(case: &Case, name: &str) -> Vec<Gap> {
    let gap = |record: Record| if let Body::Gap(gap) = record.body { Some(gap) } else { None };
    records(case, name).into_iter().filter_map(gap).collect()
}

/// After a lie that is refused, the stream holds what came before, a gap that says so, and can be sealed.
fn refused(lie: impl FnOnce(&mut Side) -> Frame) {
    in_case(|case| {
        let (mut side, mut writer) = (Side::default(), case.begin("collection").unwrap());
        writer.frame(&side.records([run(), account("root")])).unwrap();
        let lie = lie(&mut side);
        assert!(matches!(writer.frame(&lie), Err(CaseError::Refused(_))), "{lie:?}");
        assert!(matches!(writer.frame(&side.records([account("x")])), Err(CaseError::Refused(_))));
        writer.seal().unwrap();
        assert_eq!(records(case, "collection-1").len(), 3);
        assert!(gaps(case, "collection-1")[0].important);
        assert!(case.verify().unwrap().is_sealed());
    });
}

#[test]
fn frames_that_no_host_side_sends_are_refused() {
    refused(|side| side.raw(FrameKind::Seal, b"{}"));
    refused(|side| side.raw(FrameKind::Keeper, b"{\"opening\":{}}\n"));
    refused(|side| side.raw(FrameKind::Records, b"not a record\n"));
    refused(|side| {
        side.raw(FrameKind::Records, b"{\"seq\":1,\"gap\":{\"what\":\"\",\"why\":\"\",\"count\":1}}\n")
    });
    refused(|side| {
        side.raw(FrameKind::Records, b"{\"seq\":3,\"gap\":{\"what\":\"\",\"why\":\"\",\"count\":1}}\n")
    });
    refused(|side| side.raw(FrameKind::Records, format!("{{\"seq\":{}}}\n", u64::MAX).as_bytes()));
    refused(|side| side.raw(FrameKind::Records, &[b'['; 1 << 20]));
    refused(|side| side.raw(FrameKind::Chunk, b"abc"));
    // A frame whose text is longer, shorter, or no compressed text at all.
    for (raw_length, stored) in [
        (5, b"garbage".to_vec()),
        (1, zstd::bulk::compress(&[0; 5000], 1).unwrap()),
        (9000, zstd::bulk::compress(&[0; 5000], 1).unwrap()),
    ] {
        refused(|_| Frame { kind: FrameKind::Records, seq: 1, raw_length, stored, head: Digest::default() });
    }
}

#[test]
fn evidence_that_is_not_what_it_says_is_kept_under_its_true_name() {
    in_case(|case| {
        let (mut side, mut writer) = (Side::default(), case.begin("collection").unwrap());
        writer.frame(&side.records([run()])).unwrap();
        writer.frame(&side.chunk(1, b"what really came")).unwrap();
        writer.frame(&side.chunk(9, b"never ended")).unwrap();
        let lies = [blob(1, b"what it says"), blob(1, b"again"), blob(5, b"never came"), blob(6, b"")];
        writer.frame(&side.records(lies)).unwrap();
        writer.frame(&side.chunk(1, b"more of it")).unwrap();
        writer.seal().unwrap();
        let read = |digest: &Digest| {
            let mut bytes = Vec::new();
            case.evidence(digest).map(|mut piece| piece.read_to_end(&mut bytes).map(|_| bytes).unwrap())
        };
        assert_eq!(read(&Digest::of(b"what really came")).unwrap(), b"what really came");
        assert_eq!(read(&Digest::of(b"never ended")).unwrap(), b"never ended");
        assert_eq!(read(&Digest::of(b"")).unwrap(), b"");
        assert!(matches!(read(&Digest::of(b"what it says")), Err(CaseError::NoPiece(_))));
        let reasons: Vec<String> = gaps(case, "collection-1").into_iter().map(|gap| gap.why).collect();
        assert_eq!(reasons.len(), 4, "{reasons:#?}");
        let result = case.verify().unwrap();
        assert!(result.is_sealed() && result.evidence.whole == 3 && result.strays.is_empty(), "{result:#?}");
    });
}

#[test]
fn endless_pieces_and_numbers_are_bounded() {
    in_case(|case| {
        let (mut side, mut writer) = (Side::default(), case.begin("collection").unwrap());
        writer.frame(&side.records([run()])).unwrap();
        for id in 0..500 {
            writer.frame(&side.chunk(id, b"x")).unwrap();
        }
        for id in 0..500 {
            writer.frame(&side.records([blob(id, b"x")])).unwrap();
        }
        writer.seal().unwrap();
        let gaps = gaps(case, "collection-1");
        // One record when a cause shows first, one for all the rest.
        assert_eq!(gaps.len(), 4, "{gaps:#?}");
        assert_eq!(gaps.iter().map(|gap| gap.count).sum::<u64>(), 484 * 2);
        assert!(case.verify().unwrap().is_sealed());
    });
}

#[test]
fn a_host_side_can_not_speak_for_the_keeper() {
    in_case(|case| {
        let (mut side, mut writer) = (Side::default(), case.begin("collection").unwrap());
        let opening = r#"{"opening":{"stream":"x"}}"#;
        let claims = [
            Body::Unknown(serde_json::from_str(opening).unwrap()),
            Body::Unknown(serde_json::json!({"kept": {"id": 1}})),
            Body::Unknown(serde_json::json!({"note": {"seq": 1}})),
        ];
        writer.frame(&side.records(claims)).unwrap();
        writer.seal().unwrap();
        assert_eq!(
            case.opening(&StreamName("collection-1".to_owned())).unwrap().unwrap().stream,
            "collection-1"
        );
        assert!(case.verify().unwrap().is_sealed());
    });
}

/// Streams made of true frames with seeded damage: whatever comes, the writer answers, and the case stays whole.
#[test]
fn damaged_streams_never_damage_the_case() {
    let mut wire = Vec::new();
    let mut side = Side::default();
    for n in 0..6_u32 {
        let bytes = noise(200, n.into());
        for frame in [
            side.records([run(), gap(n.into())]),
            side.chunk(n, &bytes),
            side.records([blob(n, &bytes), account("root")]),
        ] {
            wire.push(frame);
        }
    }
    in_case(|case| {
        let mut seed = 11_u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for _ in 0..60 {
            let mut writer = case.begin("collection").unwrap();
            for _ in 0..12 {
                let mut frame = wire[random(wire.len())].clone();
                match random(4) {
                    0 => frame.raw_length = random(9 << 20) as u32,
                    1 => {
                        let at = random(frame.stored.len());
                        frame.stored[at] ^= 1 << random(8);
                    }
                    2 => frame.kind = [FrameKind::Records, FrameKind::Chunk, FrameKind::Seal][random(3)],
                    _ => {}
                }
                match writer.frame(&frame) {
                    Ok(()) | Err(CaseError::Refused(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            writer.seal().unwrap();
        }
        let result = case.verify().unwrap();
        assert!(result.is_sealed(), "{result:#?}");
    });
}

/// The wire's decoder on damaged and made-up bytes: an end, never a panic, and never much memory.
#[test]
fn the_decoder_survives_anything() {
    let mut encoder = Encoder::default();
    let mut wire = Vec::new();
    for n in 0..4 {
        wire.extend(encoder.encode(FrameKind::Records, &noise(300, n)).unwrap());
    }
    let mut seed = 5_u64;
    for round in 0..3000 {
        let mut bytes = wire.clone();
        for _ in 0..=round % 7 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (seed >> 33) as usize % bytes.len();
            match seed >> 62 {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = (seed >> 20) as u8,
                2 => bytes[at] = 0xff,
                _ => drop(bytes.splice(at..at, noise(9, seed))),
            }
        }
        let mut decoder = Decoder::new(bytes.as_slice());
        while let Ok(Some(frame)) = decoder.next_frame() {
            let _ = frame.raw();
        }
        assert!(decoder.offset() <= bytes.len() as u64);
    }
}

#[test]
fn a_blob_may_say_anything_about_itself() {
    in_case(|case| {
        let (mut side, mut writer) = (Side::default(), case.begin("collection").unwrap());
        writer.frame(&side.chunk(2, b"abc")).unwrap();
        let lie = Blob {
            size: u64::MAX,
            what: "\u{1b}[2J".repeat(1000),
            place: "../../../etc/passwd".into(),
            ..match blob(2, b"abc") {
                Body::Blob(blob) => blob,
                _ => panic!(),
            }
        };
        writer.frame(&side.records([Body::Blob(lie)])).unwrap();
        writer.seal().unwrap();
        let result = case.verify().unwrap();
        assert!(result.is_sealed() && result.evidence.whole == 1);
        assert_eq!(gaps(case, "collection-1").len(), 1);
    });
}
