//! Runs the collectors in the order of volatility and emits the framed stream.

use crate::{Collector, Context, Item, Needs, Options, Out, Volatility};
use calma_host::Manners;
use calma_record::frame::{Encoder, FULL, FrameKind, write_record};
use calma_record::{Blob, Body, Digest, End, Gap, Record, Run, Step, StepState, kinds};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

/// An open frame is closed after this long, so that what was seen is soon on the other side.
const FLUSH: Duration = Duration::from_millis(200);

/// A collector that has nothing to say for this long is said to be still at it.
const STILL_AT_IT: Duration = Duration::from_secs(30);

/// Bounds and choices of one run that are not the collectors' business.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Collectors that an earlier, interrupted run has finished.
    pub done: BTreeSet<String>,
    /// Bound for the whole run.
    pub max_time: Option<Duration>,
}

/// Runs every collector that fits the host and the options, writing frames to `to`.
///
/// `run` heads the stream. `stop` ends the run in order: what was collected is kept, and the stream's end says so.
///
/// # Errors
/// Only when `to` can not be written: the keeper is gone.
pub fn run(
    context: &Arc<Context>,
    run: Run,
    progress: &Progress,
    stop: &Arc<AtomicBool>,
    to: &mut dyn Write,
) -> io::Result<()> {
    let mut emitter = Emitter::new(to);
    emitter.record(Body::Run(Box::new(run)))?;
    for schema in kinds::schemas() {
        emitter.record(Body::Schema(Box::new(schema)))?;
    }
    let mut complete = true;
    for collector in chosen(context) {
        let name = collector.card.name.to_owned();
        if progress.done.contains(&name) {
            emitter.step(&name, StepState::Skipped, 0)?;
            continue;
        }
        let left = progress.max_time.map(|bound| bound.saturating_sub(emitter.started.elapsed()));
        if stop.load(Ordering::Relaxed) || left.is_some_and(|left| left.is_zero()) {
            complete = false;
            emitter.step(&name, StepState::Stopped, 0)?;
            continue;
        }
        emitter.wait_for_calm(context, collector, stop)?;
        let patience = left.map_or(collector.card.patience, |left| left.min(collector.card.patience));
        complete &= emitter.collect(collector, context, patience, stop)?;
    }
    emitter.footprint(context)?;
    emitter.end(complete)
}

/// The collectors that fit, in the order in which they run.
fn chosen(context: &Context) -> Vec<&'static Collector> {
    let Options { quick, no_pid_range, .. } = context.options;
    let running = context.host.kernel().is_some();
    let mut chosen: Vec<&Collector> = crate::ALL
        .iter()
        .filter(|c| running || c.card.needs == Needs::Tree)
        .filter(|c| !(quick && c.card.volatility == Volatility::OnDisk))
        .filter(|c| !(no_pid_range && c.card.name == "pid-range"))
        .filter(|c| context.options.rules.is_some() || !c.card.name.starts_with("rules-in-"))
        .collect();
    chosen.sort_by_key(|c| (c.card.volatility, c.card.name));
    chosen
}

/// What is on disk stays there and can wait for the host's own work; what is gone in seconds can not.
fn manners(collector: &Collector, options: &Options) -> Manners {
    if collector.card.volatility == Volatility::OnDisk && !options.hurry {
        Manners::Gentle
    } else {
        Manners::Prompt
    }
}

/// Turns items into records and records into frames.
struct Emitter<'a> {
    to: &'a mut dyn Write,
    encoder: Encoder,
    lines: Vec<u8>,
    flushed: Instant,
    started: Instant,
    next: u64,
    facts: u64,
    gaps: u64,
    open_gaps: Vec<Gap>,
    blobs: BTreeMap<u32, (Sha256, u64)>,
}

impl<'a> Emitter<'a> {
    fn new(to: &'a mut dyn Write) -> Self {
        Self {
            to,
            encoder: Encoder::default(),
            lines: Vec::new(),
            flushed: Instant::now(),
            started: Instant::now(),
            next: 0,
            facts: 0,
            gaps: 0,
            open_gaps: Vec::new(),
            blobs: BTreeMap::new(),
        }
    }

    /// Holds back a collector that can wait while the host is short of memory or disk time, for a bounded while.
    fn wait_for_calm(
        &mut self,
        context: &Context,
        collector: &Collector,
        stop: &AtomicBool,
    ) -> io::Result<()> {
        const LONGEST: Duration = Duration::from_secs(5);
        if manners(collector, &context.options) == Manners::Prompt || context.host.kernel().is_none() {
            return Ok(());
        }
        let start = Instant::now();
        while start.elapsed() < LONGEST
            && !stop.load(Ordering::Relaxed)
            && calma_host::pressed(context.host.tree())
        {
            self.flush()?;
            std::thread::sleep(FLUSH);
        }
        Ok(())
    }

    /// Runs one collector on its own thread. True if it ran to its end.
    fn collect(
        &mut self,
        collector: &Collector,
        context: &Arc<Context>,
        patience: Duration,
        stop: &Arc<AtomicBool>,
    ) -> io::Result<bool> {
        let name = collector.card.name;
        self.step(name, StepState::Began, 0)?;
        self.flush()?;
        let leave = Arc::new(AtomicBool::new(false));
        let (mut out, from) = Out::new(1024, Arc::clone(&leave));
        let counter = out.clone_counter();
        let manners = manners(collector, &context.options);
        let (collect, context) = (collector.collect, Arc::clone(context));
        let worker = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            calma_host::behave(manners);
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| collect(&context, &mut out))).is_ok()
        })?;
        let end = Instant::now() + patience;
        let mut state = StepState::Done;
        let mut heard = Instant::now();
        loop {
            match from.recv_timeout(FLUSH) {
                Ok(item) => {
                    heard = Instant::now();
                    self.item(item)?;
                }
                // A thread that was left behind holds the channel open for ever.
                Err(RecvTimeoutError::Timeout) if worker.is_finished() => {
                    while let Ok(item) = from.try_recv() {
                        self.item(item)?;
                    }
                    break;
                }
                // A long search that finds nothing is no silence to the keeper.
                Err(RecvTimeoutError::Timeout) if heard.elapsed() > STILL_AT_IT => {
                    heard = Instant::now();
                    self.step(name, StepState::Began, counter.load(Ordering::Relaxed))?;
                    self.flush()?;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.flushed.elapsed() > FLUSH {
                self.flush()?;
            }
            if stop.load(Ordering::Relaxed) {
                state = StepState::Stopped;
            } else if Instant::now() >= end {
                state = StepState::TimedOut;
            }
            if state != StepState::Done {
                leave.store(true, Ordering::Relaxed);
                break;
            }
        }
        if state == StepState::Done {
            // The channel is closed, so the thread is at its end; a panic inside was caught there.
            if !worker.join().unwrap_or(false) {
                state = StepState::Failed;
            }
        } else {
            while let Ok(item) = from.try_recv() {
                self.item(item)?;
            }
        }
        match state {
            StepState::TimedOut => self.gap(
                Gap::new(format!("the rest of: {}", collector.card.doc), "it did not answer in time")
                    .important(),
            ),
            StepState::Failed => self.gap(
                Gap::new(
                    format!("the rest of: {}", collector.card.doc),
                    "calma failed inside; please report this",
                )
                .important(),
            ),
            _ => {}
        }
        self.close_gaps()?;
        self.step(name, state, counter.load(Ordering::Relaxed))?;
        Ok(state == StepState::Done)
    }

    fn item(&mut self, item: Item) -> io::Result<()> {
        match item {
            Item::Fact(from, fact) => {
                self.facts += 1;
                self.record(Body::Fact { from, fact })
            }
            Item::Gap(gap) => {
                self.gap(gap);
                Ok(())
            }
            Item::Chunk(id, bytes) => {
                let (hasher, size) = self.blobs.entry(id).or_default();
                hasher.update(&bytes);
                *size += bytes.len() as u64;
                self.flush()?;
                let payload = [id.to_le_bytes().as_slice(), &bytes].concat();
                let frame = self.encoder.encode(FrameKind::Chunk, &payload)?;
                self.to.write_all(&frame)
            }
            Item::Whole { id, what, place, pid, partial } => {
                let (hasher, size) = self.blobs.remove(&id).unwrap_or_default();
                let digest = Digest(hasher.finalize().into());
                self.record(Body::Blob(Blob { id, digest, size, what, place, pid, partial }))
            }
        }
    }

    /// Counts gaps of one cause together.
    fn gap(&mut self, gap: Gap) {
        match self.open_gaps.iter_mut().find(|open| open.same_cause(&gap)) {
            Some(open) => {
                open.count += gap.count;
                open.important |= gap.important;
            }
            None => self.open_gaps.push(gap),
        }
    }

    fn close_gaps(&mut self) -> io::Result<()> {
        for gap in std::mem::take(&mut self.open_gaps) {
            self.gaps += 1;
            self.record(Body::Gap(gap))?;
        }
        Ok(())
    }

    fn step(&mut self, collector: &str, state: StepState, facts: u64) -> io::Result<()> {
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.record(Body::Step(Step { collector: collector.to_owned(), state, at_ms, facts }))
    }

    /// What calma itself left on the host.
    fn footprint(&mut self, context: &Context) -> io::Result<()> {
        let own = |what: &str, place, count, pid| {
            let from = calma_record::Source {
                place: calma_record::Text::from("calma"),
                view: calma_record::View::Own,
                forger: calma_record::Forger::Nobody,
            };
            let fact = kinds::Footprint { what: what.to_owned(), place, count, pid };
            Body::Fact { from, fact: Box::new(fact.into()) }
        };
        let (count, example) = context.host.touched();
        if count > 0 {
            self.record(own("access time could not be kept", example.unwrap_or_default(), count, 0))?;
        }
        let readers = context.reader_pids();
        let searchers = context.searchers().and_then(calma_host::Workers::confinement);
        let confined = context.workers.confinement().or(searchers);
        if let (Some(confined), Some(pid)) = (confined, readers.first()) {
            let what = match confined.no_landlock.as_str() {
                "" => "confined reader of calma while it looked".to_owned(),
                why => format!("confined reader of calma while it looked, without landlock: {why}"),
            };
            self.record(own(&what, Default::default(), readers.len() as u64, *pid))?;
            if !confined.no_filter.is_empty() {
                let why = format!("there is no system call filter: {}", confined.no_filter);
                let gap = Gap::new("how far calma's reader of hostile files is confined", why);
                let apart = "it ran apart all the same, without rights, with bounded memory and time";
                self.record(Body::Gap(gap.instead(apart)))?;
                self.gaps += 1;
            }
        }
        if let Some(kernel) = context.host.kernel() {
            self.record(own("process of calma while it looked", Default::default(), 1, kernel.own_pid()))?;
        }
        Ok(())
    }

    fn end(&mut self, complete: bool) -> io::Result<()> {
        let took_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let end =
            End { complete, took_ms, facts: self.facts, gaps: self.gaps, peak_kib: calma_host::peak_kib() };
        self.record(Body::End(end))?;
        self.flush()
    }

    fn record(&mut self, body: Body) -> io::Result<()> {
        write_record(&Record { seq: self.next, body }, &mut self.lines)?;
        self.next += 1;
        if self.lines.len() >= FULL { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = Instant::now();
        if self.lines.is_empty() {
            return Ok(());
        }
        let frame = self.encoder.encode(FrameKind::Records, &self.lines)?;
        self.lines.clear();
        self.to.write_all(&frame)?;
        self.to.flush()
    }
}
