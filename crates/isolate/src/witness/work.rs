//! A witness at work: a thread that hears, closes intervals, and never says more than it knows.

use super::listen::{Counting, listen};
use super::{Counts, Hears, Interval, Place, Wire, filter};
use crate::Kept;
use crate::beat::{Key, Pulse};
use crate::canary::counters;
use calma_formats::ethernet;
use calma_formats::link_counters::Counters;
use calma_host::wire::{Capture, CaptureOptions, Direction, Ears};
use calma_host::{Host, HostError, Namespace};
use calma_record::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest wait for a frame.
const WAIT: Duration = Duration::from_millis(50);
/// Frames taken before the clock is looked at again.
const BATCH: usize = 512;
/// So long after the end of an interval frames with a time before it are still waited for.
const GRACE: Duration = Duration::from_millis(20);
/// Longest time in which the queue is to be emptied at the end of an interval.
const DRAIN: Duration = Duration::from_secs(2);
/// So many times its usual length an interval lasts while nothing is heard.
const QUIET: u32 = 10;
/// A difference between the two clocks that is no drift.
const STEP: Duration = Duration::from_millis(500);
/// Closed intervals that wait to be taken; the oldest are dropped beyond it, which leaves a hole that shows.
const WAITING: usize = 100_000;

/// How to witness.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where, and whom.
    pub place: Place,
    /// The administrator's sessions.
    pub kept: Vec<Kept>,
    /// Length of an interval in which something is heard.
    pub every: Duration,
    /// Bytes of the kernel's queue.
    pub buffer: usize,
    /// The port at which canaries are answered.
    pub port: u16,
    /// The key of the guard's signs of life; without it none is known as such.
    pub key: Option<Key>,
}

impl Options {
    /// The usual options at a place.
    pub fn at(place: Place) -> Self {
        let every = Duration::from_secs(1);
        Self { place, kept: Vec::new(), every, buffer: 16 << 20, port: crate::canary::PORT, key: None }
    }
}

/// Why nothing can be witnessed.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// Neither everything nor the port can be heard.
    #[error("neither the interface ({capture}) nor the port ({port}) can be heard")]
    Deaf {
        /// Why the interface can not be heard.
        capture: HostError,
        /// Why the port can not be heard.
        port: HostError,
    },
    /// The interface can not be asked about.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[source] std::io::Error),
}

#[derive(Default)]
struct Shared {
    /// Everything since the start but the interval at hand.
    total: Mutex<Counts>,
    /// The interval at hand.
    current: Arc<Mutex<Counts>>,
    closed: Mutex<Vec<Interval>>,
    stop: Arc<AtomicBool>,
    /// Asked for so often that the interval at hand be closed, and done so often.
    asked: AtomicU64,
    done: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A thread that panicked left plain numbers behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A witness at work.
#[must_use = "a witness that is dropped hears nothing more"]
pub struct Witness {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    hears: Hears,
    notes: Vec<String>,
}

impl Witness {
    /// Begins to hear. Without the right to a packet socket it hears its port alone, and says so.
    ///
    /// # Errors
    /// When it can hear nothing at all.
    pub fn start(host: Arc<dyn Host>, options: Options) -> Result<Self, WitnessError> {
        let capture = Capture::open(&CaptureOptions {
            interface: options.place.index,
            buffer: options.buffer,
            promiscuous: true,
            filter: filter::filter(&options.place.suspect),
        });
        let ears = Ears::open(options.port);
        let mut notes = options.place.notes.clone();
        if let Err(error) = &ears {
            notes.push(format!(
                "Canaries are not answered here: port {} can not be had ({}).",
                options.port,
                error.why()
            ));
        }
        let (capture, ears) = match (capture, ears) {
            (Ok(capture), ears) => (Some(capture), ears.ok()),
            (Err(error), Ok(ears)) => {
                notes.push(format!(
                    "Only what is sent to port {} is heard ({}): blind for everything else. Run it as root to hear \
                     everything.",
                    options.port,
                    error.why()
                ));
                (None, Some(ears))
            }
            (Err(capture), Err(port)) => return Err(WitnessError::Deaf { capture, port }),
        };
        let hears = if capture.is_some() { Hears::Everything } else { Hears::Port };
        let shared = Arc::new(Shared::default());
        let pulse = Arc::new(Pulse::new(options.key));
        let mut threads = Vec::new();
        if let Some(ears) = ears {
            let counting = capture.is_none().then(|| Counting {
                counts: Arc::clone(&shared.current),
                suspect: options.place.suspect.clone(),
                port: options.port,
                pulse: Arc::clone(&pulse),
            });
            let stop = Arc::clone(&shared.stop);
            threads.push(spawn("witness-port", move || listen(ears, counting.as_ref(), &stop))?);
        }
        let mut hearing = Hearing::new(host, options, capture, Arc::clone(&shared), pulse)?;
        threads.push(spawn("witness", move || hearing.run())?);
        Ok(Self { shared, threads, hears, notes })
    }

    /// How much it hears.
    pub fn hears(&self) -> Hears {
        self.hears
    }

    /// What the administrator should know, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Everything counted so far.
    pub fn snapshot(&self) -> Counts {
        let mut counts = lock(&self.shared.total).clone();
        counts.merge(&lock(&self.shared.current));
        counts
    }

    /// Ends the interval at hand, so that another one begins now. For the edges of what is to be proven.
    pub fn cut(&self) {
        let wanted = self.shared.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let end = Instant::now() + 2 * DRAIN;
        while self.shared.done.load(Ordering::SeqCst) < wanted && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The intervals that were closed since this was last asked.
    pub fn intervals(&self) -> Vec<Interval> {
        std::mem::take(&mut *lock(&self.shared.closed))
    }

    /// Stops, and gives the intervals that were not taken yet, the last one included.
    pub fn stop(mut self) -> Vec<Interval> {
        self.end();
        self.intervals()
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            // A thread that panicked has closed no interval: the hole shows.
            let _ = thread.join();
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, WitnessError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(WitnessError::Thread)
}

/// The thread that hears.
struct Hearing {
    host: Arc<dyn Host>,
    options: Options,
    capture: Option<Capture>,
    shared: Arc<Shared>,
    pulse: Arc<Pulse>,
    number: u64,
    from: Timestamp,
    began: Instant,
    link: Option<Counters>,
    failed: bool,
}

impl Hearing {
    fn new(
        host: Arc<dyn Host>,
        options: Options,
        capture: Option<Capture>,
        shared: Arc<Shared>,
        pulse: Arc<Pulse>,
    ) -> Result<Self, WitnessError> {
        let links = counters(host.as_ref(), &Namespace::Own)?;
        let link = links.into_iter().find(|link| link.index == options.place.index);
        let (from, began) = (host.clock().now(), Instant::now());
        Ok(Self { host, options, capture, shared, pulse, number: 0, from, began, link, failed: false })
    }

    fn run(&mut self) {
        loop {
            self.hear(WAIT, None);
            let stop = self.shared.stop.load(Ordering::SeqCst);
            let asked = self.shared.asked.load(Ordering::SeqCst);
            let cut = asked > self.shared.done.load(Ordering::SeqCst);
            let age = self.began.elapsed();
            let silent = lock(&self.shared.current).total() == 0;
            if stop || cut || age >= self.options.every * if silent { QUIET } else { 1 } {
                self.close();
                self.shared.done.store(asked, Ordering::SeqCst);
            }
            if stop {
                return;
            }
        }
    }

    /// Takes what is there, a batch at most; how many frames. Those later than `until` are counted into the counts given
    /// with it.
    fn hear(&mut self, wait: Duration, mut until: Option<(Timestamp, &mut Counts)>) -> usize {
        let Some(capture) = &mut self.capture else {
            std::thread::sleep(wait);
            return 0;
        };
        let (suspect, kept, pulse) = (&self.options.place.suspect, &self.options.kept, &self.pulse);
        let mut current = None;
        let heard = capture.each(wait, BATCH, &mut |captured| {
            if captured.direction == Direction::Outgoing {
                return;
            }
            let Some(frame) = ethernet::frame(captured.bytes) else { return };
            if !suspect.sent(&frame) {
                return;
            }
            let tagged = captured.tag.is_some();
            match &mut until {
                Some((end, next)) if captured.at > *end => {
                    next.add(&frame, captured.length, tagged, captured.at, kept, pulse);
                }
                _ => current.get_or_insert_with(|| lock(&self.shared.current)).add(
                    &frame,
                    captured.length,
                    tagged,
                    captured.at,
                    kept,
                    pulse,
                ),
            }
        });
        drop(current);
        heard.unwrap_or_else(|_| {
            self.failed = true;
            std::thread::sleep(WAIT);
            0
        })
    }

    /// Closes the interval at hand. The next one begins where it ends.
    fn close(&mut self) {
        let to = self.host.clock().now();
        let ended = Instant::now();
        let mut next = Counts::default();
        // Until the queue holds nothing older than the end; one that never empties is not waited for, and not trusted.
        let mut drained = false;
        while ended.elapsed() < DRAIN && !drained {
            let taken = self.hear(GRACE / 4, Some((to, &mut next)));
            // The queue is in order: behind a later frame there is none that is older.
            drained = ended.elapsed() >= GRACE && (taken < BATCH || next.total() > 0);
        }
        let lost = self.capture.as_ref().map_or(Ok((0, 0)), Capture::statistics);
        let counts = std::mem::replace(&mut *lock(&self.shared.current), next);
        lock(&self.shared.total).merge(&counts);
        let (wire, received, missed) = self.wire();
        let real = to.nanoseconds().saturating_sub(self.from.nanoseconds());
        let passed = i64::try_from(ended.duration_since(self.began).as_nanos()).unwrap_or(i64::MAX);
        let step = i64::try_from(STEP.as_nanos()).unwrap_or(i64::MAX);
        let interval = Interval {
            number: self.number,
            from: self.from,
            to,
            interface: self.options.place.name.clone(),
            hears: if self.capture.is_some() { Hears::Everything } else { Hears::Port },
            suspect: self.options.place.suspect.names(),
            counts,
            // A count that can not be had is no zero. What was thrown away before the queue may have been anybody's.
            lost: lost.map_or(1, |(_, lost)| lost).saturating_add(missed).saturating_add(u64::from(!drained)),
            received,
            wire,
            stepped: real.saturating_sub(passed).saturating_abs() > step,
        };
        (self.number, self.from, self.began) = (self.number + 1, to, ended);
        let mut closed = lock(&self.shared.closed);
        if closed.len() >= WAITING {
            closed.remove(0);
        }
        closed.push(interval);
    }

    /// What became of the witness's own wire since it was last asked, how many frames came over it, and how many more were
    /// thrown away before anybody could see them.
    fn wire(&mut self) -> (Wire, Option<u64>, u64) {
        let failed = std::mem::take(&mut self.failed);
        let Ok(links) = counters(self.host.as_ref(), &Namespace::Own) else {
            return (Wire::Unknown, None, 0);
        };
        let now = links.into_iter().find(|link| link.index == self.options.place.index);
        let before = std::mem::replace(&mut self.link, now.clone());
        let (Some(before), Some(now)) = (before, now) else { return (Wire::Down, None, 0) };
        let wire = match now.carrier {
            _ if failed || !now.up => Wire::Down,
            Some(true) if now.carrier_changes == before.carrier_changes => Wire::Up,
            Some(_) => Wire::Unplugged,
            None => Wire::Unknown,
        };
        (wire, now.received.checked_sub(before.received), now.missed.saturating_sub(before.missed))
    }
}
