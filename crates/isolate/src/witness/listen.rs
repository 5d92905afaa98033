//! The witness's port: it answers canaries with its own clock, and where nothing else may be heard it counts them.

use super::{Class, Counts, Opening, Suspect};
use crate::beat::Pulse;
use crate::canary::{ANSWER, CanaryKind, Mark};
use calma_host::wire::{Call, Ears};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Where calls are counted; nowhere while everything is captured, since each would be counted twice.
pub(super) struct Counting {
    pub(super) counts: Arc<Mutex<Counts>>,
    pub(super) suspect: Suspect,
    pub(super) port: u16,
    pub(super) pulse: Arc<Pulse>,
}

/// Answers until it is told to stop.
pub(super) fn listen(mut ears: Ears, counting: Option<&Counting>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        ears.each(Duration::from_millis(100), &mut |call| {
            if let Some(counting) = counting {
                counting.take(call);
            }
            answer(call)
        });
    }
}

/// The same number with the time it came; of the same length.
fn answer(call: &Call) -> Option<Vec<u8>> {
    let mark = Mark::find(&call.bytes)?;
    let asks = mark.code != ANSWER && mark.kind() != Some(CanaryKind::Beat);
    asks.then(|| Mark { code: ANSWER, nonce: mark.nonce, sent: call.at }.bytes())
}

impl Counting {
    fn take(&self, call: &Call) {
        if !self.suspect.everything && !self.suspect.addresses.contains(&call.from.ip()) {
            return;
        }
        let class = match (call.stream, call.from.is_ipv4()) {
            (false, _) if self.pulse.is_beat(&call.bytes) => Class::Beat,
            (true, true) => Class::Tcp4,
            (true, false) => Class::Tcp6,
            (false, true) => Class::Udp4,
            (false, false) => Class::Udp6,
        };
        let Ok(mut counts) = self.counts.lock() else { return };
        // The bytes of a connection belong to its opening, which was counted.
        if call.stream && call.bytes.is_empty() {
            counts.opened(Opening { to: call.from.ip(), from_port: call.from.port(), to_port: self.port });
        }
        if !call.stream || call.bytes.is_empty() {
            let tally = counts.by.entry(class).or_default();
            tally.frames += 1;
            tally.bytes += call.bytes.len() as u64;
        }
        counts.carried(&call.bytes, class, call.at);
    }
}
