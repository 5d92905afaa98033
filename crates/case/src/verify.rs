//! Is a case still what was written?

use crate::evidence::{self, Piece};
use crate::keeper::Kept;
use crate::scan::{self, Ending, Scan};
use crate::{Case, CaseError};
use calma_record::{Digest, StreamName, Text};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a check of the whole case found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Each stream with its state.
    pub streams: Vec<(StreamName, StreamState)>,
    /// The evidence.
    pub evidence: EvidenceState,
    /// What is wrong with the case beyond single streams and pieces, one sentence each.
    pub problems: Vec<String>,
    /// Files in the folder that calma did not put there, or did not come to name before it was killed. They say
    /// nothing against the rest.
    pub strays: Vec<Text>,
    /// The six words of the newest seal; `None` when nothing is sealed.
    pub phrase: Option<String>,
}

/// The state of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// Whole and signed.
    Sealed {
        /// How many frames, the seal included.
        frames: u64,
        /// How many records, the keeper's own included.
        records: u64,
        /// Which seal of the case it is, from 1.
        number: u32,
        /// The six words of that seal.
        phrase: String,
    },
    /// Its writer was killed, or is still at work.
    Unsealed {
        /// How many whole frames there are.
        frames: u64,
        /// How many records in them.
        records: u64,
        /// Whether an unfinished frame stands behind them.
        torn: bool,
    },
    /// Not what its writer wrote.
    Broken {
        /// The first frame that is wrong; those before it are whole.
        frame: u64,
        /// What is wrong.
        why: &'static str,
    },
}

/// The state of the evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvidenceState {
    /// Pieces that are what they were when they came.
    pub whole: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Pieces that are missing or were changed, with what is wrong.
    pub broken: Vec<(Digest, &'static str)>,
    /// Pieces that were still coming when their writer was killed.
    pub unfinished: u64,
}

impl Verification {
    /// Whether anything is not what was written.
    pub fn is_broken(&self) -> bool {
        !self.problems.is_empty()
            || !self.evidence.broken.is_empty()
            || self.streams.iter().any(|(_, state)| matches!(state, StreamState::Broken { .. }))
    }

    /// Whether there are streams, all are sealed, and nothing is broken.
    pub fn is_sealed(&self) -> bool {
        !self.is_broken()
            && !self.streams.is_empty()
            && self.streams.iter().all(|(_, state)| matches!(state, StreamState::Sealed { .. }))
    }
}

impl fmt::Display for StreamState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sealed { frames, records, .. } => write!(f, "sealed, {frames} frames, {records} records"),
            Self::Unsealed { frames, records, torn } => {
                let tail = if *torn { ", torn tail" } else { "" };
                write!(f, "unsealed, whole to frame {frames}{tail}, {records} records")
            }
            Self::Broken { frame, why } => write!(f, "broken at frame {frame}: {why}"),
        }
    }
}

impl Case {
    /// Checks every byte of the case against its chains, seals and digests.
    ///
    /// # Errors
    /// Only when the folder itself can not be read; everything else is a result.
    pub fn verify(&self) -> Result<Verification, CaseError> {
        let mut result = Verification::default();
        let mut scans = Vec::new();
        for name in self.streams()? {
            match scan::scan(&self.streams, &name, true) {
                Ok(scan) => scans.push(scan),
                Err(_) => {
                    let state = StreamState::Broken { frame: 0, why: "it can not be read" };
                    result.streams.push((name, state));
                }
            }
        }
        let pinned = Self::PINNED.map(|name| scan::digest_of(self.root(), name).ok());
        for scan in &scans {
            result.streams.push((scan.name.clone(), state(scan)));
            openings(scan, &scans, &pinned, &mut result.problems);
        }
        result.streams.sort_by(|a, b| scan::parts(&a.0.0).cmp(&scan::parts(&b.0.0)));
        seals(&scans, &mut result);
        self.pieces(&scans, &mut result)?;
        self.strays(&mut result)?;
        Ok(result)
    }

    fn pieces(&self, scans: &[Scan], result: &mut Verification) -> Result<(), CaseError> {
        let mut named: BTreeMap<Digest, &Kept> = BTreeMap::new();
        for kept in scans.iter().flat_map(|scan| &scan.kept) {
            if named.insert(kept.digest, kept).is_some_and(|other| other.stored != kept.stored) {
                result.evidence.broken.push((kept.digest, "two streams disagree about its file"));
            }
        }
        for (digest, kept) in &named {
            match self.piece(digest, kept) {
                Ok(bytes) => {
                    result.evidence.whole += 1;
                    result.evidence.bytes += bytes;
                }
                Err(why) => result.evidence.broken.push((*digest, why)),
            }
        }
        for folder in self.evidence.names()? {
            if folder == "partial" {
                result.evidence.unfinished = self.evidence.sub(&folder)?.names()?.len() as u64;
                continue;
            }
            let Ok(inside) = self.evidence.sub(&folder) else {
                result.strays.push(format!("evidence/{folder}").into());
                continue;
            };
            for name in inside.names()? {
                let digest: Option<Digest> = name.strip_suffix(".zst").and_then(|name| name.parse().ok());
                let known = digest.is_some_and(|digest| {
                    named.contains_key(&digest) && evidence::place(&digest) == (folder.clone(), name.clone())
                });
                if !known {
                    result.strays.push(format!("evidence/{folder}/{name}").into());
                }
            }
        }
        Ok(())
    }

    fn piece(&self, digest: &Digest, kept: &Kept) -> Result<u64, &'static str> {
        let (folder, name) = evidence::place(digest);
        let folder = self.evidence.sub(&folder).map_err(|_| "it is missing")?;
        let piece = Piece::open(&folder, &name, *digest).map_err(|_| "it is missing, or can not be read")?;
        let (stored, size) = piece.check().map_err(|_| "its bytes are not what they were")?;
        if stored != kept.stored || size != kept.size {
            return Err("its file is not what it was");
        }
        Ok(size)
    }

    fn strays(&self, result: &mut Verification) -> Result<(), CaseError> {
        let ours: BTreeSet<&str> =
            Self::PINNED.into_iter().chain(["streams", "evidence", "derived", "private"]).collect();
        let names = self.root().names()?;
        result
            .strays
            .extend(names.iter().filter(|name| !ours.contains(name.as_str())).map(|n| n.as_str().into()));
        for name in self.streams.names()? {
            if !name.strip_suffix(scan::SUFFIX).is_some_and(scan::is_name) {
                result.strays.push(format!("streams/{name}").into());
            }
        }
        Ok(())
    }
}

fn state(scan: &Scan) -> StreamState {
    let (frames, records) = (scan.frames(), scan.records);
    match (&scan.ending, &scan.seal) {
        (Ending::Broken { frame, why }, _) => StreamState::Broken { frame: *frame, why },
        (Ending::Clean, Some(seal)) => {
            StreamState::Sealed { frames, records, number: seal.number, phrase: seal.phrase(&scan.name) }
        }
        (ending, _) => StreamState::Unsealed { frames, records, torn: *ending == Ending::Torn },
    }
}

/// Checks a stream's opening against the case and the streams it builds on.
fn openings(scan: &Scan, all: &[Scan], pinned: &[Option<Digest>; 2], problems: &mut Vec<String>) {
    let Some(opening) = &scan.opening else {
        if scan.frames() > 0 {
            problems.push(format!("stream {} does not begin with the keeper's line", scan.name.0));
        }
        return;
    };
    if opening.stream != scan.name.0 {
        problems.push(format!("stream {} was renamed", scan.name.0));
    }
    let [about, readme] = pinned;
    for (name, is, was) in [("case.json", about, opening.about), ("README.txt", readme, opening.readme)] {
        let problem = format!("{name} is not what it was");
        if *is != Some(was) && !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    for earlier in &opening.earlier {
        let stands = all.iter().find(|other| other.name.0 == earlier.stream).is_some_and(|other| {
            let at = earlier.frames.checked_sub(1).and_then(|at| usize::try_from(at).ok());
            at.is_none_or(|at| other.heads.get(at) == Some(&earlier.head))
        });
        let problem = format!("stream {} is missing, or not what it was", earlier.stream);
        if !stands && !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

/// Checks that the seals follow one another, and takes the newest one's words.
fn seals(scans: &[Scan], result: &mut Verification) {
    let mut sealed: Vec<(&Scan, _)> =
        scans.iter().filter_map(|scan| scan.good_seal().map(|seal| (scan, seal))).collect();
    sealed.sort_by_key(|(_, seal)| seal.number);
    let (mut number, mut digest) = (0_u32, Digest::default());
    for (scan, seal) in sealed {
        if seal.number != number.saturating_add(1) || seal.previous != digest {
            result
                .problems
                .push(format!("a stream sealed before {} is missing, or not what it was", scan.name.0));
        }
        (number, digest) = (seal.number, seal.digest(&scan.name));
        result.phrase = Some(seal.phrase(&scan.name));
    }
}
