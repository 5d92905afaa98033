//! What a machine can be asked: few, simple, named questions, each with one form of answer. A new one is a new variant.

use super::{Side, SideError};
use crate::strays;
use calma_host::ground::{Ground, ProcessLine, processes};
use calma_host::{Host as _, Live, Tree as _, resolve};
use calma_isolate::Kept;
use calma_isolate::preview::Preview;
use calma_isolate::proof::{Observed, Prove};
use calma_record::Text;
use calma_record::step::FileSeen;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A text file larger than this is not read for a question: it is no setting.
const LARGEST: usize = 16 << 20;

/// A question. Nothing is changed by answering it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// Where a path leads without links on the way, if something is there: [`Answer::Path`].
    Real(Text),
    /// What stands at a path that has no links on the way, and where it leads if it is a link: [`Answer::Seen`].
    Seen(Text),
    /// All bytes of a text file: [`Answer::Bytes`].
    Read(Text),
    /// The names in a folder: [`Answer::Texts`].
    Names(Text),
    /// Which of these paths are there, links not followed: [`Answer::Texts`].
    There(Vec<Text>),
    /// Which of these paths lead to something, links followed: [`Answer::Texts`].
    Reached(Vec<Text>),
    /// A loaded BPF program by its number: [`Answer::Program`].
    Program(u32),
    /// Every process: [`Answer::Processes`].
    Processes,
    /// Processes that run one of these files: [`Answer::Processes`].
    Strays(BTreeSet<Text>),
    /// What an isolation that keeps these peers would do, and where one stands: [`Answer::Isolation`].
    Isolation(Vec<Kept>),
    /// What comes of packets that must not arrive while it is isolated: [`Answer::Observed`].
    Prove(Prove),
}

/// An answer, by the word of whoever was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// A path; nothing, where nothing is there.
    Path(Option<Text>),
    /// What was seen of a file, and the target of a link as it is written; nothing, where none is there.
    Seen(Option<(FileSeen, Option<Text>)>),
    /// Bytes; nothing, where they can not be read or are too many.
    Bytes(Option<Text>),
    /// Names or paths.
    Texts(Vec<Text>),
    /// A loaded program's digest of its instructions and name; nothing, where none has that number.
    Program(Option<([u8; 8], Text)>),
    /// Processes.
    Processes(Vec<Line>),
    /// What an isolation would do, and where one stands.
    Isolation(Box<Preview>),
    /// What came of packets that must not arrive.
    Observed(Vec<Observed>),
    /// The answer is larger than an answer may be.
    TooMuch,
}

/// A process as it goes over the wire: as [`ProcessLine`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pid: u32,
    name: Text,
    state: u8,
    parent: u32,
    group: u32,
    session: u32,
    kernel_thread: bool,
    started: u64,
}

impl From<ProcessLine> for Line {
    fn from(line: ProcessLine) -> Self {
        let ProcessLine { pid, name, state, parent, group, session, kernel_thread, started } = line;
        Self { pid, name, state, parent, group, session, kernel_thread, started }
    }
}

impl From<Line> for ProcessLine {
    fn from(line: Line) -> Self {
        let Line { pid, name, state, parent, group, session, kernel_thread, started } = line;
        Self { pid, name, state, parent, group, session, kernel_thread, started }
    }
}

/// Answers a question about the machine this program runs on.
pub(crate) fn answer(host: &Live, question: Question) -> Answer {
    match question {
        Question::Real(path) => Answer::Path(real(host, &path)),
        Question::Seen(path) => Answer::Seen(Ground::below(b"/").ok().and_then(|ground| {
            let (folder, name) = ground.place(path.as_bytes()).ok()?;
            let manifest = folder.manifest(name).ok()?;
            Some((manifest.seen(), manifest.link))
        })),
        Question::Read(path) => {
            let content = host.read(path.as_bytes(), LARGEST).ok().filter(|content| !content.cut);
            Answer::Bytes(content.map(|content| content.bytes.into()))
        }
        Question::Names(path) => {
            let entries = host.list(path.as_bytes()).unwrap_or_default();
            Answer::Texts(entries.into_iter().map(|entry| entry.name).collect())
        }
        Question::There(paths) => {
            let ground = Ground::below(b"/").ok();
            let there = |path: &Text| {
                let place = ground.as_ref().and_then(|ground| ground.place(path.as_bytes()).ok());
                place.is_some_and(|(folder, name)| folder.has(name))
            };
            Answer::Texts(paths.into_iter().filter(there).collect())
        }
        Question::Reached(mut paths) => {
            paths.retain(|path| host.meta_followed(path.as_bytes()).is_ok());
            Answer::Texts(paths)
        }
        Question::Program(id) => Answer::Program(host.kernel().and_then(|kernel| {
            let program = kernel.bpf().program(id).ok().filter(|program| program.id == id)?;
            Some((program.tag, program.name))
        })),
        Question::Processes => Answer::Processes(lines(processes().unwrap_or_default())),
        Question::Strays(programs) => Answer::Processes(lines(strays::here(host, &programs))),
        Question::Isolation(kept) => Answer::Isolation(Box::new(calma_isolate::preview::preview(&kept))),
        Question::Prove(prove) => Answer::Observed(calma_isolate::proof::observe(&prove)),
    }
}

fn lines(processes: Vec<ProcessLine>) -> Vec<Line> {
    processes.into_iter().map(Line::from).collect()
}

fn real(host: &Live, path: &Text) -> Option<Text> {
    let parent = resolve(host, calma_host::parent(path.as_bytes())).ok()?;
    let real: Text = calma_host::join(&parent, path.file_name()).into();
    host.meta(real.as_bytes()).ok().map(|_| real)
}

const OTHER: SideError = SideError::Lies("an answer to another question");

/// Questions with the form of their answers.
impl dyn Side + '_ {
    /// Where a path leads without links on the way, if something is there.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn real(&self, path: &Text) -> Result<Option<Text>, SideError> {
        match self.ask(Question::Real(path.clone()))? {
            Answer::Path(path) => Ok(path),
            _ => Err(OTHER),
        }
    }

    /// What stands at a path without links on the way.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn seen(&self, path: &Text) -> Result<Option<FileSeen>, SideError> {
        Ok(self.stands(path)?.map(|(seen, _)| seen))
    }

    /// What stands at a path without links on the way, and where it leads if it is a link.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn stands(&self, path: &Text) -> Result<Option<(FileSeen, Option<Text>)>, SideError> {
        match self.ask(Question::Seen(path.clone()))? {
            Answer::Seen(seen) => Ok(seen),
            _ => Err(OTHER),
        }
    }

    /// All bytes of a text file, if it is there and not too large.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn read(&self, path: &Text) -> Result<Option<Text>, SideError> {
        match self.ask(Question::Read(path.clone()))? {
            Answer::Bytes(bytes) => Ok(bytes),
            Answer::TooMuch => Ok(None),
            _ => Err(OTHER),
        }
    }

    /// The names in a folder.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn names(&self, path: &Text) -> Result<Vec<Text>, SideError> {
        match self.ask(Question::Names(path.clone()))? {
            Answer::Texts(names) => Ok(names),
            Answer::TooMuch => Ok(Vec::new()),
            _ => Err(OTHER),
        }
    }

    /// Which of these paths are there.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn there(&self, paths: Vec<Text>) -> Result<Vec<Text>, SideError> {
        match self.ask(Question::There(paths))? {
            Answer::Texts(paths) => Ok(paths),
            _ => Err(OTHER),
        }
    }

    /// Which of these paths lead to something, links followed.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn reached(&self, paths: Vec<Text>) -> Result<Vec<Text>, SideError> {
        match self.ask(Question::Reached(paths))? {
            Answer::Texts(paths) => Ok(paths),
            _ => Err(OTHER),
        }
    }

    /// A loaded BPF program by its number: the digest of its instructions, and its name.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn program(&self, id: u32) -> Result<Option<([u8; 8], Text)>, SideError> {
        match self.ask(Question::Program(id))? {
            Answer::Program(program) => Ok(program),
            _ => Err(OTHER),
        }
    }

    /// Every process.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn processes(&self) -> Result<Vec<ProcessLine>, SideError> {
        self.listed(Question::Processes)
    }

    /// Living processes whose program is one of these files, or that are an interpreter of one of them. A person who reads
    /// such a file in an editor is none.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn strays(&self, programs: &BTreeSet<Text>) -> Result<Vec<ProcessLine>, SideError> {
        self.listed(Question::Strays(programs.clone()))
    }

    /// What an isolation that keeps these peers would do, and where one stands.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn isolation(&self, kept: &[Kept]) -> Result<Preview, SideError> {
        match self.ask(Question::Isolation(kept.to_vec()))? {
            Answer::Isolation(preview) => Ok(*preview),
            _ => Err(OTHER),
        }
    }

    /// What comes of packets that must not arrive while it is isolated.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn prove(&self, prove: Prove) -> Result<Vec<Observed>, SideError> {
        match self.ask(Question::Prove(prove))? {
            Answer::Observed(observed) => Ok(observed),
            _ => Err(OTHER),
        }
    }

    fn listed(&self, question: Question) -> Result<Vec<ProcessLine>, SideError> {
        match self.ask(question)? {
            Answer::Processes(lines) => Ok(lines.into_iter().map(ProcessLine::from).collect()),
            Answer::TooMuch => Err(SideError::Refused("it lists more processes than can be told".to_owned())),
            _ => Err(OTHER),
        }
    }
}
