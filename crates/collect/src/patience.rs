//! Calls that may block for ever, with a bound.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// Runs calls that may block (a /proc file of a stuck process, a dead network mount) on a thread beside, and leaves that
/// thread behind when one does not come back in time.
///
/// One thread serves many calls, so an ordinary call costs a hand-over (a few microseconds), not a thread.
#[derive(Debug)]
pub struct Patience {
    bound: Duration,
    worker: Option<SyncSender<Job>>,
    left: u32,
}

impl Patience {
    /// Never leaves more threads behind than this; after it, calls are refused at once.
    const MOST: u32 = 64;

    /// A bound for each call.
    pub fn new(bound: Duration) -> Self {
        Self { bound, worker: None, left: 0 }
    }

    /// How many calls never came back.
    pub fn left_behind(&self) -> u32 {
        self.left
    }

    /// The call's value, or `None` if it did not come back in time.
    pub fn call<T: Send + 'static>(&mut self, call: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        if self.left >= Self::MOST {
            return None;
        }
        let (answer, answered) = sync_channel(1);
        let job: Job = Box::new(move || drop(answer.send(call())));
        let worker = self.worker.take().unwrap_or_else(spawn);
        if worker.send(job).is_err() {
            return None;
        }
        match answered.recv_timeout(self.bound) {
            Ok(value) => {
                self.worker = Some(worker);
                Some(value)
            }
            // The call panicked: that thread is gone, the next call gets a new one.
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                self.left += 1;
                None
            }
        }
    }
}

fn spawn() -> SyncSender<Job> {
    let (to, from): (_, Receiver<Job>) = sync_channel(1);
    // When no thread can be had, the receiver is dropped and the call reports that it did not come back.
    drop(
        std::thread::Builder::new()
            .name("patient".to_owned())
            .spawn(move || from.iter().for_each(|job| job())),
    );
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_blocks_is_left_behind_and_the_next_one_answers() {
        let mut patience = Patience::new(Duration::from_millis(50));
        assert_eq!(patience.call(|| 1), Some(1));
        assert_eq!(patience.call(|| std::thread::sleep(Duration::from_secs(5))), None);
        assert_eq!(patience.call(|| 2), Some(2));
        assert_eq!(patience.left_behind(), 1);
    }
}
