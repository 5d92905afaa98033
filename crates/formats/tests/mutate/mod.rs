//! Mutation of samples: what is fed to every parser of bytes that an intruder may have written. It is the fuzzing of this
//! project: seeded, on the stable toolchain, part of every test run; `CALMA_FUZZ_MS` makes it last.

use std::time::{Duration, Instant};

/// Milliseconds of mutation for each format; `CALMA_FUZZ_MS` makes it longer.
pub(crate) fn budget() -> Duration {
    let milliseconds = std::env::var("CALMA_FUZZ_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    Duration::from_millis(milliseconds)
}

/// A small generator (xorshift64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `below`.
    pub(crate) fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

/// A sample with up to seven changes: bits, odd bytes, pieces cut out, moved, repeated without end.
pub(crate) fn mutate(sample: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    for _ in 0..=random.next(6) {
        if bytes.is_empty() {
            bytes.push(random.next(256) as u8);
            continue;
        }
        let at = random.next(bytes.len());
        let length = random.next(bytes.len() - at).min(64);
        match random.next(7) {
            0 => bytes[at] ^= 1 << random.next(8),
            1 => bytes[at] = [0, 0xff, b'\n', b' ', b'"', b'\\', b':', b'/', 0x7f, b'-'][random.next(10)],
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let piece = bytes[at..at + length].to_vec();
                let to = random.next(bytes.len());
                bytes.splice(to..to, piece);
            }
            4 => bytes.truncate(at),
            5 => bytes.splice(at..at, std::iter::repeat_n(bytes[at], random.next(5000))).for_each(drop),
            _ => bytes[at..].iter_mut().take(8).for_each(|b| *b = 0xff),
        }
    }
    bytes
}

/// Feeds each truncation of each sample.
pub(crate) fn truncated(samples: &[&[u8]], feed: &dyn Fn(&[u8])) {
    for sample in samples {
        (0..=sample.len()).for_each(|length| feed(&sample[..length]));
    }
}

/// Feeds mutated samples for the time of the budget; none may take two seconds.
pub(crate) fn mutated(name: &str, samples: &[&[u8]], random: &mut Random, feed: &dyn Fn(&[u8])) {
    let end = Instant::now() + budget();
    while Instant::now() < end {
        let bytes = mutate(samples[random.next(samples.len())], random);
        let start = Instant::now();
        feed(&bytes);
        let took = start.elapsed();
        assert!(took < Duration::from_secs(2), "{name} took {took:?} for {} bytes", bytes.len());
    }
}
