//! What can go wrong with a case, each with what to do next.

use calma_record::Digest;
use std::{io, path::PathBuf};

/// Why something could not be done with a case. What was stored before stays whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// A file or folder of the case refused.
    #[error("{doing}: {}", place.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Where.
        place: PathBuf,
        /// Why it failed.
        #[source]
        error: io::Error,
    },
    /// The folder is there and is no case.
    #[error("{} is there already and is not a case", .0.display())]
    InTheWay(PathBuf),
    /// There is a case already where a new one should be made.
    #[error("there is a case already: {}", .0.display())]
    AlreadyThere(PathBuf),
    /// The folder is not a case.
    #[error("{} is not a case", .0.display())]
    NotACase(PathBuf),
    /// The folder is a case that this version does not understand.
    #[error("{} was written by a newer calma", .0.display())]
    Newer(PathBuf),
    /// Others than its owner may write into the folder.
    #[error("{} belongs to someone else, or others may write into it", .0.display())]
    NotOurs(PathBuf),
    /// Another calma writes a stream of this kind in this case.
    #[error("another calma is writing into this case now")]
    Busy,
    /// The folder or the stream was removed while it was written.
    #[error("the case was removed while it was written: {}", .0.display())]
    Removed(PathBuf),
    /// The host side sent something that a calma never sends. A gap says so in the stream.
    #[error("the host side sent something that is no record of calma: {0}")]
    Refused(&'static str),
    /// A piece of evidence could not be kept whole.
    #[error("it could not be kept whole: {0}")]
    NotKept(&'static str),
    /// A stream is broken.
    #[error("stream {stream} is broken at frame {frame}: {why}")]
    Broken {
        /// Its name.
        stream: String,
        /// The first frame that is not what its writer wrote.
        frame: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no such stream.
    #[error("the case has no stream {0}")]
    NoStream(String),
    /// There is no such piece of evidence.
    #[error("the case has no piece of evidence {0}")]
    NoPiece(Digest),
    /// No fit place for a case was found.
    #[error("no place for the case: {0}")]
    NoPlace(&'static str),
}

impl CaseError {
    /// The next step for the user, if there is one.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Io { .. } if self.is_full() => "make room, or give another folder with --case",
            Self::InTheWay(_) | Self::NoPlace(_) => "give a folder that is not there yet with --case",
            Self::NotACase(_) => "give the folder of a case; case.json stands in it",
            Self::Newer(_) => "use that version of calma",
            Self::NotOurs(_) => "give a folder of your own with --case",
            Self::NotKept(_) => "give a folder with more room with --case",
            Self::Busy => "wait for it, or give another folder with --case",
            Self::Refused(_) => {
                "trust nothing that host says about itself; examine its disk from another system"
            }
            Self::Broken { .. } => "calma case verify says what is whole",
            _ => return None,
        })
    }

    /// Whether the disk is full: what is stored is whole, and a later attempt may work.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { error, .. } if matches!(error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge))
    }

    /// Whether the host side, not the disk, is the cause.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}
