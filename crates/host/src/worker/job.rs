//! What a worker can be asked, and why it may not answer.

use super::Input;
use crate::Opened;
use std::any::Any;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

/// One thing a worker can be asked: a pure function over a question and the bytes of one open file.
///
/// Both sides know the same table of jobs by name. The function runs in the confined child; on hosts made of values, and
/// where tests ask for it, in place.
#[derive(Clone, Copy, Debug)]
pub struct WorkerJob {
    /// Its name in the table.
    pub name: &'static str,
    /// How long it may take.
    pub patience: Duration,
    /// How many bytes it may answer.
    pub most: usize,
    /// What it does: what the worker keeps, the question's words, the file if one came, and the way out.
    pub run: fn(&mut Kept, &[u8], Option<&mut dyn Input>, &mut Reply),
}

/// A question: words of the job's own form, and perhaps an open file.
#[derive(Default)]
pub struct Question {
    /// The words.
    pub words: Vec<u8>,
    /// The file.
    pub file: Option<Box<dyn Opened>>,
}

/// What a worker keeps between questions (compiled rules), by the name of the job that made it.
#[derive(Default)]
pub struct Kept(BTreeMap<&'static str, Box<dyn Any + Send>>);

impl Kept {
    /// Keeps a value under a name.
    pub fn put<T: Any + Send>(&mut self, name: &'static str, value: T) {
        self.0.insert(name, Box::new(value));
    }

    /// The value of that name and type.
    pub fn get<T: Any>(&mut self, name: &str) -> Option<&mut T> {
        self.0.get_mut(name).and_then(|value| value.downcast_mut())
    }
}

/// A job's way out: bytes up to the job's bound.
#[derive(Debug)]
pub struct Reply {
    bytes: Vec<u8>,
    most: usize,
    over: bool,
}

impl Reply {
    pub(super) fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most, over: false }
    }

    /// How many bytes may still come.
    pub fn room(&self) -> usize {
        self.most.saturating_sub(self.bytes.len())
    }

    pub(super) fn take(self) -> Result<Vec<u8>, Trouble> {
        if self.over { Err(Trouble::TooMuch) } else { Ok(self.bytes) }
    }
}

impl Write for Reply {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.room() {
            self.over = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No worker can be started.
    #[error("calma's confined reader can not be started ({0})")]
    NotStarted(String),
    /// The worker ended in the middle.
    #[error("calma's confined reader ended while it read it")]
    Died,
    /// It did not answer in time.
    #[error("reading it took too long")]
    Hung,
    /// It answered something that is no answer to the question.
    #[error("calma's confined reader gave an answer that was not asked for")]
    Lied,
    /// The answer would be larger than the job may give.
    #[error("what it holds is more than is kept of one file")]
    TooMuch,
    /// The job panicked.
    #[error("calma failed inside; please report this")]
    Failed,
}
