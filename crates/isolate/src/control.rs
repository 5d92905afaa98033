//! How others speak with the guard: one line of JSON there, one back, over a socket that only root may open.

use crate::order::State;
use crate::state;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Longest question.
const ASKED: u64 = 64 << 10;
/// Longest answer.
const SAID: u64 = 8 << 20;

/// What the guard is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Where it stands.
    Status,
    /// It is to stay: a person has come back through a new connection.
    Confirm {
        /// That connection, as [`crate::order::Order::through`]; empty at a console.
        through: String,
    },
    /// It is to end, or to open these ports of this host to everybody.
    Release {
        /// The ports; none ends it.
        only: Vec<u16>,
    },
}

/// What the guard answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Say {
    /// Where it stands.
    State(Box<State>),
    /// Done: what a person should know, one sentence each, and where it stands now.
    Done {
        /// The sentences.
        says: Vec<String>,
        /// Where it stands; `None` once it has ended.
        state: Option<Box<State>>,
    },
    /// Refused; nothing was changed.
    Refused {
        /// Why.
        why: String,
        /// What to do instead.
        instead: String,
    },
}

/// Asks the guard.
///
/// # Errors
/// When there is none, or it does not answer in time.
pub fn ask(question: &Ask, patience: Duration) -> io::Result<Say> {
    let mut stream = UnixStream::connect(state::socket())?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    send(&mut stream, question)?;
    receive(&stream, SAID)
}

/// Reads a question.
pub(crate) fn question(stream: &UnixStream) -> io::Result<Ask> {
    receive(stream, ASKED)
}

/// Writes one value as one line.
pub(crate) fn send(stream: &mut UnixStream, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value).map_err(io::Error::other)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    stream.flush()
}

fn receive<T: DeserializeOwned>(stream: &UnixStream, longest: u64) -> io::Result<T> {
    let mut line = Vec::new();
    BufReader::new(stream.take(longest)).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return Err(io::Error::other("it ended in the middle of a line"));
    }
    serde_json::from_slice(&line).map_err(io::Error::other)
}
