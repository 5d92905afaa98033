//! Workers for whoever asks, as many at once as there are askers.

use super::child::{Start, Worker};
use super::input::InPlace;
use super::{Confinement, Input, Kept, Question, Trouble, WorkerJob, serve};
use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

/// Questions that are on their way to one worker at once.
const AHEAD: usize = 32;
/// Workers that are kept when nobody asks.
const IDLE: usize = 4;
/// Address space of a worker, unless told otherwise.
const MEMORY: u64 = 384 << 20;
/// After so many that could not be started, none is tried any more.
const ATTEMPTS: u32 = 3;

/// Answers questions in confined workers, or in place.
pub struct Workers {
    start: Option<Start>,
    setup: Vec<(WorkerJob, Arc<[u8]>)>,
    idle: Mutex<Vec<Worker>>,
    in_place: Mutex<Option<Kept>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    pids: BTreeSet<u32>,
    confinement: Option<Confinement>,
    failures: u32,
    lost: u32,
}

impl Workers {
    /// Answers in place: for hosts made of values, and for tests.
    pub fn in_place() -> Self {
        Self {
            start: None,
            setup: Vec::new(),
            idle: Mutex::default(),
            in_place: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// Answers in children: `program` is to call [`serve_worker`](super::serve_worker) when it is started with `words`.
    pub fn confined(program: impl Into<OsString>, words: &[&str]) -> Self {
        let words = words.iter().map(|word| OsString::from(*word)).collect();
        Self { start: Some(Start { program: program.into(), words, memory: MEMORY }), ..Self::in_place() }
    }

    /// The same kind of workers, for something else: none is shared.
    #[must_use]
    pub fn others(&self) -> Self {
        Self { start: self.start.clone(), ..Self::in_place() }
    }

    /// How many bytes of address space each may have.
    #[must_use]
    pub fn with_memory(mut self, bytes: u64) -> Self {
        if let Some(start) = &mut self.start {
            start.memory = bytes;
        }
        self
    }

    /// A question that every new worker is asked first; its answer is not kept.
    #[must_use]
    pub fn with_setup(mut self, job: &WorkerJob, words: impl Into<Arc<[u8]>>) -> Self {
        self.setup.push((*job, words.into()));
        self
    }

    /// What holds them back, once one was started.
    pub fn confinement(&self) -> Option<Confinement> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).confinement.clone()
    }

    /// How many ended otherwise than by calma's will.
    pub fn lost(&self) -> u32 {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).lost
    }

    /// Process ids of all that were started.
    pub fn pids(&self) -> Vec<u32> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).pids.iter().copied().collect()
    }

    /// Asks one question and waits.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, job: &WorkerJob, question: Question) -> Result<Vec<u8>, Trouble> {
        let mut answer = Err(Trouble::Died);
        self.ask_all(job, std::iter::once(question), &mut |_, one| answer = one);
        answer
    }

    /// Asks many questions, several on their way at once, and hands out the answers in order with the question's number.
    ///
    /// The questions are taken from the iterator a few at a time.
    pub fn ask_all(
        &self,
        job: &WorkerJob,
        questions: impl IntoIterator<Item = Question>,
        each: &mut dyn FnMut(u64, Result<Vec<u8>, Trouble>),
    ) {
        let mut questions = (0_u64..).zip(questions);
        if self.start.is_none() {
            for (number, question) in questions {
                each(number, self.here(job, question));
            }
            return;
        }
        let mut again: VecDeque<(u64, Question)> = VecDeque::new();
        let mut sent: VecDeque<(u64, Question)> = VecDeque::new();
        let mut worker: Option<Worker> = None;
        loop {
            while sent.len() < AHEAD {
                let Some((number, question)) = again.pop_front().or_else(|| questions.next()) else { break };
                let one = match worker.take().map_or_else(|| self.worker(), Ok) {
                    Ok(one) => worker.insert(one),
                    Err(trouble) => {
                        each(number, Err(trouble));
                        continue;
                    }
                };
                match one.send(number, job, &question.words, &question, !sent.is_empty()) {
                    Ok(true) => sent.push_back((number, question)),
                    Ok(false) => {
                        again.push_front((number, question));
                        break;
                    }
                    // An idle worker that had ended meanwhile: not this question's fault.
                    Err(Trouble::Died) if sent.is_empty() && one.has_answered() => {
                        worker = None;
                        self.count_lost();
                        again.push_front((number, question));
                    }
                    // Nothing was unanswered, so it is this question that it did not take.
                    Err(trouble) if sent.is_empty() => {
                        worker = None;
                        self.count_lost();
                        each(number, Err(trouble));
                    }
                    // It is at an end; the answer that is due will tell.
                    Err(_) => {
                        again.push_front((number, question));
                        break;
                    }
                }
            }
            let Some((number, _question)) = sent.pop_front() else { break };
            let answer = worker.as_mut().map_or(Err(Trouble::Died), |worker| worker.receive(number, job));
            if matches!(answer, Err(Trouble::Died | Trouble::Hung | Trouble::Lied)) {
                worker = None;
                self.count_lost();
                // Whoever stood behind is asked again, in order.
                while let Some(question) = sent.pop_back() {
                    again.push_front(question);
                }
            }
            each(number, answer);
        }
        if let Some(worker) = worker {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < IDLE {
                idle.push(worker);
            }
        }
    }

    fn here(&self, job: &WorkerJob, mut question: Question) -> Result<Vec<u8>, Trouble> {
        let mut kept = self.in_place.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match &mut *kept {
            Some(kept) => kept,
            none => {
                let mut fresh = Kept::default();
                for (job, words) in &self.setup {
                    serve::here(job, &mut fresh, words, None)?;
                }
                none.insert(fresh)
            }
        };
        let mut file = question.file.as_mut().map(|file| InPlace::new(file.as_mut()));
        let input = file.as_mut().map(|file| file as &mut dyn Input);
        serve::here(job, kept, &question.words, input)
    }

    /// One that is idle, or a new one with its setup behind it.
    fn worker(&self) -> Result<Worker, Trouble> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(worker) = idle {
            return Ok(worker);
        }
        let no = || Trouble::NotStarted("several attempts failed".to_owned());
        let start = self.start.as_ref().ok_or_else(no)?;
        if self.seen.lock().unwrap_or_else(PoisonError::into_inner).failures >= ATTEMPTS {
            return Err(no());
        }
        let started = Worker::start(start).and_then(|mut worker| {
            for (job, words) in &self.setup {
                worker.send(0, job, words, &Question::default(), false)?;
                worker.receive(0, job)?;
            }
            Ok(worker)
        });
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match &started {
            Ok(worker) => {
                seen.pids.insert(worker.pid());
                seen.confinement = Some(worker.confinement.clone());
            }
            Err(_) => seen.failures += 1,
        }
        started
    }

    fn count_lost(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).lost += 1;
    }
}
