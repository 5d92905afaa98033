//! One pass over a stream's frames: how far it is whole, and what the keeper wrote into it.

use crate::folder::Folder;
use crate::keeper::{Kept, Line, Opening};
use crate::seal::SealLine;
use crate::{CaseError, evidence};
use calma_record::frame::{Decoder, Frame, FrameError, FrameKind, read_records};
use calma_record::{Digest, StreamName};
use std::io::BufReader;

/// The end of the names of stream files.
pub(crate) const SUFFIX: &str = ".calma";

/// How a stream ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Behind a whole frame.
    Clean,
    /// Inside a frame.
    Torn,
    /// At a frame that is not what its writer wrote.
    Broken { frame: u64, why: &'static str },
}

/// What a pass over a stream found.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) name: StreamName,
    pub(crate) opening: Option<Opening>,
    pub(crate) kept: Vec<Kept>,
    pub(crate) seal: Option<SealLine>,
    /// The head after each whole frame.
    pub(crate) heads: Vec<Digest>,
    pub(crate) records: u64,
    pub(crate) ending: Ending,
}

impl Scan {
    pub(crate) fn frames(&self) -> u64 {
        self.heads.len() as u64
    }

    pub(crate) fn head(&self) -> Digest {
        self.heads.last().copied().unwrap_or_default()
    }

    /// The seal, where the stream is whole up to it and it is good.
    pub(crate) fn good_seal(&self) -> Option<&SealLine> {
        self.seal.as_ref().filter(|_| self.ending == Ending::Clean)
    }

    fn take(&mut self, frame: &Frame, deep: bool) -> Result<(), &'static str> {
        if self.seal.is_some() {
            return Err("it stands behind the seal");
        }
        match frame.kind {
            FrameKind::Seal => {
                let line: SealLine =
                    serde_json::from_slice(&frame.stored).map_err(|_| "its seal can not be read")?;
                let key = self.opening.as_ref().map(|opening| opening.key);
                line.check(&self.name, self.head(), self.frames(), key)?;
                self.seal = Some(line);
            }
            FrameKind::Keeper => {
                let text = frame.raw().map_err(|_| "it does not decompress")?;
                for line in Line::parse(&text) {
                    match line.map_err(|_| "a line of the keeper can not be read")? {
                        Line::Opening(opening) if self.opening.is_none() => self.opening = Some(*opening),
                        Line::Kept(kept) => self.kept.push(kept),
                        Line::Note(_) => self.records += 1,
                        Line::Opening(_) | Line::Unknown(_) => {}
                    }
                }
            }
            FrameKind::Records if deep => {
                let text = frame.raw().map_err(|_| "it does not decompress")?;
                for record in read_records(&text) {
                    record.map_err(|_| "a line is not a record")?;
                    self.records += 1;
                }
            }
            FrameKind::Records => {}
            FrameKind::Chunk => return Err("it should not stand in a stored stream"),
        }
        Ok(())
    }
}

/// Reads stream `name`; with `deep`, the host's records too.
pub(crate) fn scan(streams: &Folder, name: &StreamName, deep: bool) -> Result<Scan, CaseError> {
    let file = open(streams, name)?;
    let mut decoder = Decoder::new(BufReader::with_capacity(1 << 16, file));
    let mut scan = Scan {
        name: name.clone(),
        opening: None,
        kept: Vec::new(),
        seal: None,
        heads: Vec::new(),
        records: 0,
        ending: Ending::Clean,
    };
    loop {
        match decoder.next_frame() {
            Ok(None) => break,
            Ok(Some(frame)) => {
                if let Err(why) = scan.take(&frame, deep) {
                    scan.ending = Ending::Broken { frame: frame.seq, why };
                    break;
                }
                scan.heads.push(frame.head);
            }
            Err(FrameError::Torn { frame }) => {
                scan.ending = match scan.seal {
                    Some(_) => Ending::Broken { frame, why: "it stands behind the seal" },
                    None => Ending::Torn,
                };
                break;
            }
            Err(FrameError::Broken { frame, why }) => {
                scan.ending = Ending::Broken { frame, why };
                break;
            }
            Err(FrameError::Io(error)) => return Err(streams.fault("can not read", &file_name(name), error)),
        }
    }
    Ok(scan)
}

pub(crate) fn file_name(name: &StreamName) -> String {
    format!("{}{SUFFIX}", name.0)
}

pub(crate) fn open(streams: &Folder, name: &StreamName) -> Result<std::fs::File, CaseError> {
    if !is_name(&name.0) || !streams.has(&file_name(name)) {
        return Err(CaseError::NoStream(name.0.clone()));
    }
    streams.read(&file_name(name))
}

/// Whether `name` is one that [`crate::Case::begin`] gives.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() < 100
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The streams in the folder, by kind and number.
pub(crate) fn names(streams: &Folder) -> Result<Vec<StreamName>, CaseError> {
    let mut names: Vec<StreamName> = streams
        .names()?
        .iter()
        .filter_map(|name| name.strip_suffix(SUFFIX))
        .filter(|name| is_name(name))
        .map(|name| StreamName(name.to_owned()))
        .collect();
    names.sort_by(|a, b| parts(&a.0).cmp(&parts(&b.0)));
    Ok(names)
}

/// A stream's kind and its number.
pub(crate) fn parts(name: &str) -> (&str, u64) {
    match name.rsplit_once('-') {
        Some((kind, number)) => (kind, number.parse().unwrap_or(0)),
        None => (name, 0),
    }
}

/// The digest of a small file of the case.
pub(crate) fn digest_of(folder: &Folder, name: &str) -> Result<Digest, CaseError> {
    let file = folder.read(name)?;
    evidence::digest(file).map_err(|error| folder.fault("can not read", name, error))
}
