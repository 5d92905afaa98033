//! A host's end that lies: whatever it sends, torn and mutated, the keeper neither hangs nor panics, and nothing reaches the
//! case but pieces, and notes and reports about the steps that are under way.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

use calma_act::{Piece, Trouble};
use calma_record::step::{Intent, Manifest, Step, Target, Undo, Way};
use calma_record::{Digest, Text};
use calma_recovery::{Errand, Keeper, Question, RemoteSide, Side, SideError, Stage};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::{self, Cursor, Read};
use std::time::{Duration, Instant};

const ID: u64 = 7;

/// A keeper that remembers what it was told.
#[derive(Default)]
struct Told {
    promised: RefCell<bool>,
    kept: RefCell<Vec<Vec<u8>>>,
    notes: RefCell<Vec<u64>>,
    fetched: RefCell<Vec<Digest>>,
}

impl Keeper for Told {
    fn keep(&self, what: &str, place: &Text, _: Option<u32>, from: &mut dyn Read) -> Result<Piece, Trouble> {
        assert!(!what.chars().any(char::is_control) && what.len() <= 8000 && place.as_bytes().len() <= 4096);
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).map_err(|error| Trouble::new(error.to_string()))?;
        let piece = Piece { digest: Digest::of(&bytes), size: bytes.len() as u64 };
        self.kept.borrow_mut().push(bytes);
        Ok(piece)
    }

    fn keep_away(
        &self,
        what: &str,
        place: &Text,
        _: &Manifest,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        self.keep(what, place, None, from)
    }

    fn check(&self, _: &Digest) -> Result<(), Trouble> {
        Ok(())
    }

    fn fetch(&self, digest: &Digest) -> Result<Box<dyn Read>, Trouble> {
        self.fetched.borrow_mut().push(*digest);
        Ok(Box::new(io::repeat(1).take((4 << 20) + 10)))
    }

    fn promise(&self, intents: &[Intent]) -> Result<(), Trouble> {
        assert!(intents.iter().all(|intent| intent.id == ID));
        *self.promised.borrow_mut() = true;
        Ok(())
    }

    fn note(&self, id: u64, _: &Value, lasting: bool) -> Result<(), Trouble> {
        assert!(*self.promised.borrow() && lasting);
        self.notes.borrow_mut().push(id);
        Ok(())
    }
}

fn words(value: &Value) -> Vec<u8> {
    let text = serde_json::to_vec(value).unwrap();
    [&[b'j'][..], &(text.len() as u32).to_le_bytes(), &text].concat()
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    [&[b'b'][..], &(bytes.len() as u32).to_le_bytes(), bytes].concat()
}

const PREAMBLE: &[u8] = b"\n=calma-acting-1\n";

fn here() -> Vec<u8> {
    words(&json!({ "here": { "version": 1, "boot": "b", "name": "n" } }))
}

fn step() -> Step {
    Step {
        number: 1,
        action: "quarantine".to_owned(),
        target: Target::File { path: "/x".into(), seen: None },
        story: 1,
        findings: Vec::new(),
        ticked: true,
        doubt: String::new(),
    }
}

/// The piece that the step needs.
fn needed() -> Digest {
    Digest::of(b"needed")
}

fn errand() -> Errand {
    let undo = Undo::of(&json!({ "piece": { "digest": needed(), "size": 6 } })).unwrap();
    let (boot, at) = ("b".into(), calma_case::now());
    Errand { intent: Intent { id: ID, way: Way::Do, at, boot, step: step(), undo }, notes: Vec::new() }
}

/// What an honest end says, frame by frame.
fn honest() -> Vec<Vec<u8>> {
    let piece = json!({ "digest": Digest::of(b"abcdef"), "size": 6 });
    let processes = json!([{ "pid": 1, "name": "a", "state": 83, "parent": 0, "group": 1, "session": 1,
                             "kernel_thread": false, "started": 3 }]);
    vec![
        here(),
        words(&json!({ "answer": { "processes": processes } })),
        words(&json!({ "taken": "taken" })),
        words(&json!({ "keep": { "what": "file", "place": "/x", "pid": null } })),
        bytes(b"abc"),
        b".\0\0\0\0".to_vec(),
        bytes(b"def"),
        words(&json!({ "kept": piece })),
        words(&json!({ "check": Digest::of(b"abcdef") })),
        words(&json!({ "prepared": { "Ok": { "piece": piece } } })),
        words(&json!({ "begins": ID })),
        words(&json!({ "fetch": { "digest": needed(), "offset": 0 } })),
        words(&json!({ "fetch": { "digest": needed(), "offset": 4 << 20 } })),
        words(&json!({ "note": { "id": ID, "note": { "stop": [] } } })),
        words(&json!({ "ended": { "id": ID, "ended": "done", "says": "gone\u{1b}[2J", "left": null } })),
        words(&json!({ "gone": null })),
    ]
}

/// Talks with an end that says this, all of it at once. What came of it, and what the keeper was told.
fn talk(said: &[u8]) -> (Result<(), SideError>, Told) {
    let told = Told::default();
    let talk = || -> Result<(), SideError> {
        let side = RemoteSide::over(Box::new(Cursor::new(said.to_vec())), Box::new(io::sink()))?;
        side.ask(Question::Processes)?;
        let taken = side.take(&Text::default())?;
        let prepared = taken.prepare(&[&step()], &told)?;
        assert_eq!(prepared.len(), 1);
        let mut ended = 0;
        taken.go(vec![errand()], &told, &mut |stage| match stage {
            Stage::Begins(id) => assert_eq!(id, ID),
            Stage::Ended(report) => {
                ended += 1;
                assert!(report.id == ID && ended == 1 && !report.says.chars().any(char::is_control));
            }
        })?;
        assert_eq!(ended, 1);
        Ok(())
    };
    let result = talk();
    assert!(told.notes.borrow().iter().all(|id| *id == ID));
    assert!(
        told.fetched.borrow().iter().all(|digest| *digest == needed() || *digest == Digest::of(b"abcdef"))
    );
    (result, told)
}

fn said(frames: &[Vec<u8>]) -> Vec<u8> {
    [PREAMBLE, &frames.concat()].concat()
}

#[test]
fn an_honest_end_is_understood() {
    let (result, told) = talk(&said(&honest()));
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(told.kept.into_inner(), [b"abcdef".to_vec()]);
    assert_eq!((told.notes.into_inner(), told.fetched.into_inner()), (vec![ID], vec![needed()]));
}

#[test]
fn every_truncation_is_a_lost_connection() {
    let frames = honest();
    let whole = said(&frames);
    // Around the end of every frame, and here and there inside.
    let mut lengths: Vec<usize> = (0..whole.len()).step_by(11).collect();
    for count in 0..frames.len() {
        let end = said(&frames[..count]).len();
        lengths.extend([end - 1, end, end + 1, end + 5]);
    }
    for length in lengths {
        assert!(talk(&whole[..length]).0.is_err(), "{length}");
    }
}

#[test]
fn what_no_honest_end_says_is_refused() {
    let at = |index: usize, frame: Vec<u8>| {
        let mut frames = honest();
        frames[index] = frame;
        said(&frames)
    };
    let lies = [
        ("another version", at(0, words(&json!({ "here": { "version": 2, "boot": "b", "name": "n" } })))),
        ("another answer", at(1, words(&json!({ "taken": "taken" })))),
        ("bytes unasked", at(1, bytes(b"x"))),
        ("a piece in a piece", at(6, words(&json!({ "keep": { "what": "x", "place": "/", "pid": null } })))),
        ("evidence of others", at(8, words(&json!({ "check": Digest::of(b"others") })))),
        (
            "bytes of others",
            at(11, words(&json!({ "fetch": { "digest": Digest::of(b"others"), "offset": 0 } }))),
        ),
        ("the middle of a piece", at(11, words(&json!({ "fetch": { "digest": needed(), "offset": 5 } })))),
        ("another step", at(10, words(&json!({ "begins": ID + 1 })))),
        ("a note on another step", at(13, words(&json!({ "note": { "id": 1, "note": 0 } })))),
        ("a note too long", at(13, words(&json!({ "note": { "id": ID, "note": "x".repeat(2 << 20) } })))),
        (
            "an end of another step",
            at(14, words(&json!({ "ended": { "id": 1, "ended": "done", "says": "", "left": null } }))),
        ),
        ("no end", at(14, b".\0\0\0\0".to_vec())),
        ("an order", at(15, words(&json!("take")))),
        ("brackets", at(13, [&[b'j'][..], &100_000_u32.to_le_bytes(), &[b'['; 100_000]].concat())),
    ];
    for (what, lie) in lies {
        let (result, told) = talk(&lie);
        assert!(result.is_err(), "{what}");
        assert!(told.kept.borrow().len() <= 1, "{what}");
    }
}

#[test]
fn other_bytes_than_were_claimed_are_not_confirmed() {
    let mut frames = honest();
    frames[6] = bytes(b"deX");
    // It would be told "sorry"; one that goes on all the same asks for a piece that never came.
    assert!(talk(&said(&frames)).0.is_err());
}

#[test]
fn mutated_words_are_survived_in_time() {
    let milliseconds = std::env::var("CALMA_FUZZ_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(500);
    let mut state = 0x5eed_ca1a_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    let (end, mut tried) = (Instant::now() + Duration::from_millis(milliseconds), 0);
    while Instant::now() < end {
        let mut frames = honest();
        for _ in 0..=random(3) {
            let index = random(frames.len());
            match random(5) {
                0 => drop(frames.remove(index)),
                1 => {
                    let to = random(frames.len());
                    let frame = frames[index].clone();
                    frames.insert(to, frame);
                }
                2 => {
                    let at = random(frames[index].len());
                    frames[index][at] ^= 1 << random(8);
                }
                3 => {
                    let at = random(frames[index].len());
                    frames[index][at] = [0, 0xff, b'"', b'}', b'9', b'-'][random(6)];
                }
                _ => {
                    let other = random(frames.len());
                    frames.swap(index, other);
                }
            }
        }
        let began = Instant::now();
        let _ = talk(&said(&frames));
        assert!(began.elapsed() < Duration::from_secs(5), "{frames:?}");
        tried += 1;
    }
    eprintln!("{tried} conversations");
    assert!(tried > 3);
}
