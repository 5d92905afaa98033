//! Rule 3, first half: look, keep, judge. The keeper's side of `calma triage`.

use crate::Signs;
use crate::signs::Matches;
use calma_case::{Case, CaseError, StreamWriter};
use calma_collect::Options;
use calma_detect::{Judgement, Tables, judge};
use calma_host::Clock;
use calma_record::frame::{Decoder, Frame, FrameKind, read_records};
use calma_record::{Body, End, Gap, Record, Run, StepState, StreamName, Text, kinds};
use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// A host side that says nothing for this long is taken for dead; every collector's own bound is shorter.
const SILENCE: Duration = Duration::from_secs(240);

/// What the user asked to look at, and how.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// What to collect.
    pub options: Options,
    /// Bound for the whole look.
    pub max_time: Option<Duration>,
    /// A mounted root instead of the running system.
    pub root: Option<Text>,
    /// Collectors that an earlier, interrupted look has finished.
    pub done: BTreeSet<String>,
    /// The stream of that look.
    pub continues: Option<StreamName>,
    /// What the user gave to look for, for the case to know.
    pub given: Vec<kinds::RuleSet>,
    /// Signs to compare every fact with.
    pub signs: Option<Arc<Signs>>,
}

impl Ask {
    /// The host side's arguments.
    pub fn words(&self) -> Vec<std::ffi::OsString> {
        use std::os::unix::ffi::OsStringExt as _;
        let mut words: Vec<std::ffi::OsString> = Vec::new();
        let flags = [
            (self.options.quick, "--quick"),
            (self.options.full_environ, "--full-environ"),
            (self.options.hurry, "--hurry"),
            (self.options.no_pid_range, "--no-pid-range"),
            (self.options.digests, "--digests"),
            (self.options.network_mounts, "--network-mounts"),
        ];
        words.extend(flags.iter().filter(|(set, _)| *set).map(|(_, word)| (*word).into()));
        if let Some(rules) = &self.options.rules {
            words.extend(["--rules".into(), rules.len().to_string().into()]);
            if self.options.rules_in_all_memory {
                words.push("--rules-in-all-memory".into());
            }
        }
        if let Some(bound) = self.max_time {
            words.extend(["--max-time".into(), bound.as_secs().to_string().into()]);
        }
        if let Some(root) = &self.root {
            words.extend(["--root".into(), std::ffi::OsString::from_vec(root.as_bytes().to_vec())]);
        }
        for name in &self.done {
            words.extend(["--done".into(), name.into()]);
        }
        if let Some(stream) = &self.continues {
            words.extend(["--continues".into(), stream.0.clone().into()]);
        }
        words
    }
}

/// Why a host side could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct HostSideError {
    what: String,
    source: std::io::Error,
    instead: &'static str,
    cut: bool,
}

impl HostSideError {
    /// What could not be done, and why.
    pub fn new(what: impl Into<String>, source: std::io::Error) -> Self {
        Self { what: what.into(), source, instead: "", cut: false }
    }

    /// What to do instead.
    #[must_use]
    pub fn instead(mut self, instead: &'static str) -> Self {
        self.instead = instead;
        self
    }

    /// The host had answered, and the connection was lost: another try may do.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.cut = true;
        self
    }

    /// What to do instead; empty where there is no better advice than the error itself.
    pub fn advice(&self) -> &'static str {
        self.instead
    }
}

/// Something that looks at a host and emits a stream: a child process here, or one at the other end of an ssh connection.
pub trait HostSide {
    /// Starts looking; the stream is to be read from what is returned.
    ///
    /// # Errors
    /// When it can not be started at all.
    fn start(&mut self, ask: &Ask) -> Result<Box<dyn Read + Send>, HostSideError>;

    /// Asks it to end in order.
    fn stop(&mut self);

    /// Waits for its end. A sentence if it did not end well.
    fn finish(&mut self) -> Option<String>;

    /// How often to start it when its stream is cut.
    fn attempts(&self) -> u32;

    /// What the keeper should note about the start, once.
    fn remarks(&mut self) -> Vec<Body> {
        Vec::new()
    }
}

/// What a progress line is made of.
#[derive(Clone, Debug)]
pub enum Moment<'a> {
    /// The stream began.
    Run(&'a Run),
    /// A collector began.
    Looking {
        /// Its name.
        collector: &'a str,
        /// Seconds since the look began.
        seconds: f64,
    },
    /// The connection was cut and is tried again.
    Again(&'a str),
}

/// What a look gave.
#[derive(Debug, Default)]
pub struct Looked {
    /// Who looked.
    pub run: Run,
    /// The facts.
    pub tables: Tables,
    /// What they mean.
    pub judgement: Judgement,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// How the stream ended; `None` if it was cut.
    pub end: Option<End>,
    /// Seconds by the keeper's clock.
    pub seconds: f64,
    /// The seal's phrase.
    pub phrase: Option<String>,
    /// What went wrong without ending the look, a sentence each.
    pub troubles: Vec<String>,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

/// Why a look gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The case can not be written.
    #[error("{0}")]
    Case(#[from] CaseError),
    /// The host side could not be started.
    #[error("{0}")]
    HostSide(#[from] HostSideError),
    /// The host side sent nothing that is a stream.
    #[error("the host side sent nothing that calma understands: {0}")]
    Nothing(String),
}

/// Looks at a host: starts its host side, keeps every frame in the case, folds the facts and judges them.
///
/// # Errors
/// When the case can not be written or the host side gives nothing at all. A stream that is cut is no error: what came is
/// kept and judged, and `end` is `None`.
pub fn look(
    case: &Case,
    host_side: &mut dyn HostSide,
    ask: &Ask,
    clock: &dyn Clock,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&Moment<'_>),
) -> Result<Looked, LookError> {
    let mut keeper = Keeper {
        looked: Looked::default(),
        ask: ask.clone(),
        started: Instant::now(),
        clock,
        records: 0,
        matches: Matches::default(),
    };
    let mut phrase = None;
    for attempt in 1..=host_side.attempts().max(1) {
        let last = attempt == host_side.attempts().max(1);
        let stream = match host_side.start(&keeper.ask) {
            Ok(stream) => stream,
            Err(error) => {
                let over = last || stop.load(Ordering::Relaxed);
                // What came before the connection was cut is kept, also when it does not come back.
                if keeper.records == 0 && (over || !error.cut) {
                    return Err(error.into());
                }
                let why = error.to_string();
                let why = why.trim_end_matches('.');
                let again = if keeper.records == 0 { "" } else { " again" };
                keeper.looked.troubles.push(format!("It could not be reached{again}: {why}."));
                if over {
                    break;
                }
                progress(&Moment::Again(why));
                std::thread::sleep(Duration::from_secs(u64::from(attempt)));
                continue;
            }
        };
        let mut writer = case.begin("collection")?;
        for body in host_side.remarks() {
            writer.note(body)?;
        }
        for given in &keeper.ask.given {
            let from = calma_record::Source {
                place: given.path.clone(),
                view: calma_record::View::Own,
                forger: calma_record::Forger::Nobody,
            };
            writer.note(Body::Fact { from, fact: Box::new(given.clone().into()) })?;
        }
        let cut = keeper.take_in(stream, &mut writer, host_side, stop, progress)?;
        let ended_badly = host_side.finish();
        let over = cut.is_none() || stop.load(Ordering::Relaxed) || last;
        if let Some(why) = cut {
            let why = ended_badly.map_or_else(|| why.clone(), |more| format!("{why}; {more}"));
            let mut gap = Gap::new("the rest of the look", "the stream from the host was cut");
            if !over {
                gap = gap.instead("it was started again; what was done was not looked at twice");
            }
            gap.important = over;
            writer.note(Body::Gap(gap.clone()))?;
            if keeper.records == 0 && over {
                writer.seal()?;
                return Err(LookError::Nothing(why));
            }
            keeper.looked.gaps.push(gap);
            let why = why.trim_end_matches('.');
            keeper.looked.troubles.push(format!("The stream from the host was cut: {why}."));
            keeper.ask.continues = Some(writer.name().clone());
            if !over {
                progress(&Moment::Again(why));
            }
        }
        phrase = Some(writer.seal()?.phrase);
        if over {
            break;
        }
        std::thread::sleep(Duration::from_secs(u64::from(attempt)));
    }
    let mut looked = keeper.looked;
    if keeper.matches.more {
        looked
            .troubles
            .push("More than 2,000 things agree with your lists; the first ones are shown.".to_owned());
    }
    looked.phrase = phrase;
    looked.seconds = keeper.started.elapsed().as_secs_f64();
    looked.interrupted = stop.load(Ordering::Relaxed);
    looked.judgement = judge(&looked.tables);
    Ok(looked)
}

/// The keeper while a stream comes in.
struct Keeper<'a> {
    looked: Looked,
    ask: Ask,
    started: Instant,
    clock: &'a dyn Clock,
    records: u64,
    matches: Matches,
}

impl Keeper<'_> {
    /// Keeps and folds one stream to its end. A sentence if it was cut.
    fn take_in(
        &mut self,
        stream: Box<dyn Read + Send>,
        writer: &mut StreamWriter,
        host_side: &mut dyn HostSide,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&Moment<'_>),
    ) -> Result<Option<String>, LookError> {
        let frames = read_beside(stream);
        let (mut next, mut heard, mut synced, mut asked) = (0, Instant::now(), Instant::now(), false);
        loop {
            if stop.load(Ordering::Relaxed) && !asked {
                asked = true;
                host_side.stop();
            }
            let frame = match frames.recv_timeout(Duration::from_millis(100)) {
                Ok(Ok(frame)) => frame,
                Ok(Err(why)) => return Ok(Some(why)),
                Err(RecvTimeoutError::Timeout) if heard.elapsed() < SILENCE => continue,
                Err(RecvTimeoutError::Timeout) => {
                    host_side.stop();
                    return Ok(Some("it said nothing for four minutes".to_owned()));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let whole = self.looked.end.is_some();
                    return Ok((!whole).then(|| "it ended before its last record".to_owned()));
                }
            };
            heard = Instant::now();
            match writer.frame(&frame) {
                // A host side that lies ends its own stream; what it said before is kept as its claim.
                Err(error) if error.is_refusal() => return Ok(Some(error.to_string())),
                other => other?,
            }
            if frame.kind == FrameKind::Records {
                let Ok(text) = frame.raw() else { return Ok(Some("a frame does not decompress".to_owned())) };
                for record in read_records(&text) {
                    let Ok(record) = record else { return Ok(Some("a record is not in order".to_owned())) };
                    if record.seq != next {
                        return Ok(Some("its records are not in order".to_owned()));
                    }
                    next += 1;
                    self.records += 1;
                    self.fold(writer, record, progress)?;
                }
            }
            if synced.elapsed() > Duration::from_secs(1) {
                synced = Instant::now();
                writer.sync()?;
            }
        }
    }

    fn fold(
        &mut self,
        writer: &mut StreamWriter,
        record: Record,
        progress: &mut dyn FnMut(&Moment<'_>),
    ) -> Result<(), LookError> {
        match &record.body {
            Body::Run(run) => {
                self.clocks(writer, run)?;
                progress(&Moment::Run(run));
                self.looked.run = Run::clone(run);
            }
            Body::Step(step) => match step.state {
                StepState::Began => {
                    let seconds = self.started.elapsed().as_secs_f64();
                    progress(&Moment::Looking { collector: &step.collector, seconds });
                }
                StepState::Done => drop(self.ask.done.insert(step.collector.clone())),
                _ => {}
            },
            Body::Gap(gap) => self.looked.gaps.push(gap.clone()),
            Body::End(end) => self.looked.end = Some(end.clone()),
            _ => {}
        }
        let name = writer.name().clone();
        if let Some(signs) = &self.ask.signs {
            // A match stands in the case, and in the tables where the fact stands that it is about.
            for found in self.matches.of(signs, &record.body) {
                let Body::Fact { from, .. } = &record.body else { continue };
                let body = Body::Fact { from: from.clone(), fact: Box::new(found.into()) };
                writer.note(body.clone())?;
                self.looked.tables.fold(&name, Record { seq: record.seq, body });
            }
        }
        self.looked.tables.fold(&name, record);
        Ok(())
    }

    /// The host's clock against the keeper's, at the moment the stream's first record came.
    fn clocks(&mut self, writer: &mut StreamWriter, run: &Run) -> Result<(), LookError> {
        let keeper = self.clock.now();
        let ahead = run.started.nanoseconds().saturating_sub(keeper.nanoseconds());
        let fact = kinds::ClockOffset { keeper, host: run.started, ahead_ms: ahead / 1_000_000 };
        let from = calma_record::Source {
            place: "the keeper's clock".into(),
            view: calma_record::View::Own,
            forger: calma_record::Forger::Nobody,
        };
        writer.note(Body::Fact { from, fact: Box::new(fact.into()) })?;
        if ahead.abs() > 120_000_000_000 {
            let minutes = ahead / 60_000_000_000;
            self.looked
                .troubles
                .push(format!("The host's clock is {minutes} minutes away from this machine's."));
        }
        Ok(())
    }
}

/// Reads frames on a thread beside, so that the keeper can notice silence and Ctrl-C.
fn read_beside(stream: Box<dyn Read + Send>) -> Receiver<Result<Frame, String>> {
    let (to, from) = sync_channel(8);
    std::thread::spawn(move || {
        let mut decoder = Decoder::new(std::io::BufReader::with_capacity(256 << 10, stream));
        loop {
            let sent = match decoder.next_frame() {
                Ok(Some(frame)) => to.send(Ok(frame)),
                Ok(None) => return,
                Err(error) => {
                    drop(to.send(Err(error.to_string())));
                    return;
                }
            };
            if sent.is_err() {
                return;
            }
        }
    });
    from
}
