//! What each of several steps will find as its folder's times when they are taken back one after another: written down for
//! all of them at once, before the first one begins.

use crate::whole::{self, Left};
use calma_host::ground::Ground;
use calma_record::Text;
use calma_record::step::{FileTime, Undo};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The part of a step's state that all steps in a folder have.
#[derive(Deserialize)]
struct Within {
    path: Text,
    folder_times: (FileTime, FileTime),
}

/// What is known of one step.
#[derive(Debug, PartialEq)]
pub enum Foresight {
    /// It has noted its folder's times already.
    Noted,
    /// This is what it is to note.
    Note(Value),
    /// Nobody can say: it notes them itself when its turn comes.
    Unknown,
}

/// The times of folders as the steps so far leave them; none, where nobody can say.
#[derive(Debug, Default)]
pub struct Foreseen(BTreeMap<Vec<u8>, Option<(FileTime, FileTime)>>);

impl Foreseen {
    /// What a step notes when what it noted before does not count any more.
    pub fn none() -> Value {
        whole::none()
    }

    /// Goes on to the next step, which noted this earlier.
    pub fn next(&mut self, ground: &Ground, undo: &Undo, noted: &[Value]) -> Foresight {
        let Ok(Within { path, folder_times }) = undo.read() else {
            return Foresight::Unknown;
        };
        let folder = calma_host::parent(path.as_bytes());
        let known = match self.0.get(folder) {
            Some(known) => *known,
            None => ground.folder(folder).and_then(|folder| folder.times()).ok(),
        };
        let earlier = whole::found(noted);
        let found = earlier.or(known);
        let left = found.filter(|found| whole::settles(*found, folder_times, Left::noted(noted)));
        self.0.insert(folder.to_vec(), left.map(|_| folder_times));
        match (earlier, found) {
            (Some(_), _) => Foresight::Noted,
            (None, Some(found)) => Foresight::Note(whole::note(found)),
            (None, None) => Foresight::Unknown,
        }
    }
}
