//! Feeds every format each truncation of its samples and many mutations: none may panic, hang or grow without bound.
#![allow(clippy::indexing_slicing, reason = "a test")]

use std::time::{Duration, Instant};

/// Milliseconds of mutation for each format; `CALMA_FUZZ_MS` makes it longer.
fn budget() -> Duration {
    let milliseconds = std::env::var("CALMA_FUZZ_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    Duration::from_millis(milliseconds)
}

struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

fn mutate(sample: &[u8], random: &mut Random) -> Vec<u8> {
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

#[test]
fn every_truncation_of_every_sample_is_survived() {
    for format in calma_formats::ALL {
        assert!(!format.samples.is_empty(), "{} has no samples", format.name);
        for sample in format.samples {
            (0..=sample.len()).for_each(|length| (format.feed)(&sample[..length]));
        }
    }
}

#[test]
fn mutated_samples_are_survived_in_time() {
    let mut random = Random(0x5eed_ca1a);
    for format in calma_formats::ALL {
        let end = Instant::now() + budget();
        while Instant::now() < end {
            let sample = format.samples[random.next(format.samples.len())];
            let bytes = mutate(sample, &mut random);
            let start = Instant::now();
            (format.feed)(&bytes);
            let bound = Duration::from_secs(2);
            assert!(
                start.elapsed() < bound,
                "{} took {:?} for {} bytes",
                format.name,
                start.elapsed(),
                bytes.len()
            );
        }
    }
}
