//! When the guard fell silent.

use super::Interval;
use calma_record::Timestamp;

/// Longest time without a sign of life that is no silence: some may get lost.
const LONGEST: i64 = 5_000_000_000;

/// A time without a sign of life of the guard, by the witness's clock, as exactly as intervals are long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// End of the last interval in which there was one.
    pub from: Timestamp,
    /// Begin of the next one; `None` where there was none any more.
    pub to: Option<Timestamp>,
}

/// Follows the signs of life from interval to interval.
#[derive(Clone, Debug, Default)]
pub struct Hush {
    last: Option<Timestamp>,
    to: Option<Timestamp>,
    over: Vec<Silence>,
    told: bool,
}

impl Hush {
    /// Takes the next interval; the silence that is noticed with it, once.
    pub fn take(&mut self, interval: &Interval) -> Option<Silence> {
        self.to = Some(interval.to);
        if interval.counts.beats > 0 {
            if let Some(from) = self.last.filter(|from| apart(*from, interval.from)) {
                self.over.push(Silence { from, to: Some(interval.from) });
            }
            (self.last, self.told) = (Some(interval.to), false);
            return None;
        }
        let silence = self.lasts().filter(|_| !self.told);
        self.told |= silence.is_some();
        silence
    }

    /// The silence that has not ended.
    fn lasts(&self) -> Option<Silence> {
        let (from, to) = (self.last?, self.to?);
        apart(from, to).then_some(Silence { from, to: None })
    }

    /// Whether there was ever a sign of life.
    pub fn began(&self) -> bool {
        self.last.is_some()
    }

    /// Every silence, in order.
    pub fn all(&self) -> Vec<Silence> {
        self.over.iter().copied().chain(self.lasts()).collect()
    }
}

fn apart(from: Timestamp, to: Timestamp) -> bool {
    to.nanoseconds().saturating_sub(from.nanoseconds()) > LONGEST
}

#[cfg(test)]
mod tests {
    use super::super::{Counts, Hears, Wire};
    use super::*;

    fn interval(from: i64, to: i64, beats: u64) -> Interval {
        Interval {
            number: 0,
            from: Timestamp::new(from, 0),
            to: Timestamp::new(to, 0),
            interface: "eth0".into(),
            hears: Hears::Everything,
            suspect: Vec::new(),
            counts: Counts { beats, ..Counts::default() },
            lost: 0,
            received: None,
            wire: Wire::Up,
            stepped: false,
        }
    }

    #[test]
    fn a_guard_that_falls_silent_is_told_once_and_nobody_is_missed_who_never_spoke() {
        let mut hush = Hush::default();
        assert_eq!((hush.take(&interval(0, 60, 0)), hush.began()), (None, false));
        for (from, to, beats) in [(60, 61, 1), (61, 64, 0), (64, 65, 1), (65, 69, 0)] {
            assert_eq!(hush.take(&interval(from, to, beats)), None, "{from}");
        }
        let fell = Silence { from: Timestamp::new(65, 0), to: None };
        assert_eq!(hush.take(&interval(69, 79, 0)), Some(fell));
        assert_eq!((hush.take(&interval(79, 89, 0)), hush.all()), (None, vec![fell]));
        assert_eq!(hush.take(&interval(89, 90, 2)), None);
        let ended = Silence { to: Some(Timestamp::new(89, 0)), ..fell };
        assert_eq!((hush.began(), hush.all()), (true, vec![ended]));
    }
}
