//! Weighing intervals: was the suspect silent in a stretch of time?

use super::class::Part;
use super::{Counts, Interval};
use crate::canary::Offset;
use calma_record::Timestamp;

/// What the intervals say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing came that should not have, and the witness would have heard it.
    Silent,
    /// Something got out.
    Heard,
    /// Nothing was heard, but the witness can not say that there was nothing.
    NotProven,
}

/// What is asked of the intervals.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Begin, by the suspect's clock.
    pub from: Timestamp,
    /// End, by the suspect's clock.
    pub to: Timestamp,
    /// How far the witness's clock is ahead of the suspect's.
    pub offset: Offset,
    /// Whether the link's own protocols and the next hop's questions are allowed: at level 1 they are, at level 2 nothing is.
    pub upkeep: bool,
    /// Whether there must be signs of life, the administrator's session or the watchdog's beat; the answer then ends at
    /// the last one.
    pub alive: bool,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// What the intervals say.
    pub proof: Proof,
    /// Begin of what they speak of, by the suspect's clock; no earlier than asked.
    pub from: Timestamp,
    /// Its end; no later than asked.
    pub to: Timestamp,
    /// What was counted in it.
    pub counts: Counts,
    /// Why it is not proven, one clause each.
    pub why: Vec<String>,
}

/// Weighs intervals in the order in which they were closed.
///
/// An interval can not be divided. One at the edge, in which something was heard that might have been outside of what is
/// asked, is left out and the answer begins or ends beside it.
pub fn weigh(intervals: &[Interval], question: &Question) -> Weighed {
    let give = question.offset.give_or_take.max(0);
    let shift = |at: Timestamp, by: i64| Timestamp::from_nanoseconds(at.nanoseconds().saturating_add(by));
    let begin = shift(question.from, question.offset.ahead.saturating_add(give));
    let end = shift(question.to, question.offset.ahead.saturating_sub(give));
    let mut chosen: Vec<&Interval> =
        intervals.iter().filter(|one| one.to > begin && one.from < end && one.from < one.to).collect();
    let loud = |one: &Interval| leaks(&one.counts, question.upkeep) > 0;
    if chosen.first().is_some_and(|one| one.from < begin && loud(one)) {
        chosen.remove(0);
    }
    if chosen.last().is_some_and(|one| one.to > end && loud(one)) {
        chosen.pop();
    }
    let mut why: Vec<String> = Vec::new();
    if question.alive {
        let living = |one: &&Interval| one.counts.beats > 0 || one.counts.of(Part::Kept) > 0;
        // What was heard behind the last sign of life still counts.
        let last = chosen.iter().rposition(|one| living(one) || loud(one));
        chosen.truncate(last.map_or(0, |last| last + 1));
        if last.is_none() {
            why.push("no sign of life came from the host".to_owned());
        }
    }
    let mut counts = Counts::default();
    chosen.iter().for_each(|one| counts.merge(&one.counts));
    for one in &chosen {
        for reason in one.blind() {
            if !why.iter().any(|known| known == reason) {
                why.push(reason.to_owned());
            }
        }
    }
    for pair in chosen.windows(2) {
        if let [one, other] = pair
            && (other.number != one.number.saturating_add(1) || other.from != one.to)
        {
            why.push("a part of the witness's log is missing".to_owned());
            break;
        }
    }
    let back = |at: Timestamp, by: i64| shift(at, by.saturating_sub(question.offset.ahead));
    let from = chosen.first().map_or(end, |one| one.from.max(begin));
    let to = chosen.last().map_or(end, |one| one.to.min(end));
    // What the log does not reach is not claimed; where it reaches nothing, nothing is.
    if chosen.is_empty() && why.is_empty() {
        why.push("the witness's log does not cover this time".to_owned());
    }
    let proof = match () {
        () if leaks(&counts, question.upkeep) > 0 => Proof::Heard,
        () if why.is_empty() => Proof::Silent,
        () => Proof::NotProven,
    };
    Weighed {
        proof,
        from: back(from, give).max(question.from),
        to: back(to, give.saturating_neg()).min(question.to),
        counts,
        why,
    }
}

/// Frames that ought not to be there.
fn leaks(counts: &Counts, upkeep: bool) -> u64 {
    counts.of(Part::Leak) + if upkeep { 0 } else { counts.of(Part::Upkeep) }
}

#[cfg(test)]
mod tests {
    use super::super::{Class, Hears, Tally, Wire};
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::new(seconds, 0)
    }

    fn interval(number: u64, classes: &[Class]) -> Interval {
        let from = 100 + i64::try_from(number).unwrap();
        let mut counts = Counts::default();
        for class in classes {
            counts.by.insert(*class, Tally { frames: 1, bytes: 60 });
        }
        Interval {
            number,
            from: at(from),
            to: at(from + 1),
            interface: "eth0".into(),
            hears: Hears::Everything,
            suspect: vec!["192.0.2.1".to_owned(), "02:00:00:00:00:01".to_owned()],
            counts,
            lost: 0,
            received: Some(3),
            wire: Wire::Up,
            stepped: false,
        }
    }

    fn ask(from: i64, to: i64) -> Question {
        let offset = Offset { ahead: 0, give_or_take: 0 };
        Question { from: at(from), to: at(to), offset, upkeep: true, alive: false }
    }

    fn five() -> Vec<Interval> {
        (0..5).map(|number| interval(number, &[Class::Kept, Class::Arp])).collect()
    }

    #[test]
    fn silence_is_proven_and_one_frame_is_heard() {
        let weighed = weigh(&five(), &ask(101, 104));
        assert_eq!((weighed.proof, weighed.from, weighed.to), (Proof::Silent, at(101), at(104)));
        assert_eq!(weighed.counts.frames(Class::Kept), 3);
        let mut intervals = five();
        intervals[2] = interval(2, &[Class::Udp6]);
        assert_eq!(weigh(&intervals, &ask(101, 104)).proof, Proof::Heard);
        // Outside of what is asked it is nobody's business.
        assert_eq!(weigh(&intervals, &ask(103, 105)).proof, Proof::Silent);
        assert_eq!(weigh(&five(), &Question { upkeep: false, ..ask(101, 104) }).proof, Proof::Heard);
    }

    #[test]
    fn every_doubt_takes_the_proof_away() {
        type Doubt = fn(&mut Vec<Interval>);
        let doubts: &[(&str, Doubt)] = &[
            ("lost", |all| all[2].lost = 1),
            ("unplugged", |all| all[2].wire = Wire::Unplugged),
            ("down", |all| all[2].wire = Wire::Down),
            ("not known", |all| all[2].wire = Wire::Unknown),
            ("one port", |all| all[2].hears = Hears::Port),
            ("false source", |all| all[2].suspect = vec!["192.0.2.1".to_owned()]),
            ("clock", |all| all[2].stepped = true),
            ("missing", |all| drop(all.remove(2))),
            ("missing", |all| all[2].number = 7),
            ("does not cover", |all| all.clear()),
        ];
        for (word, doubt) in doubts {
            let mut intervals = five();
            doubt(&mut intervals);
            let weighed = weigh(&intervals, &ask(101, 104));
            assert_eq!(weighed.proof, Proof::NotProven, "{word}");
            assert!(weighed.why.iter().any(|why| why.contains(word)), "{word}: {:?}", weighed.why);
            // A frame that was heard is one, doubt or not.
            intervals.push(interval(4, &[Class::Tcp4]));
            assert_eq!(weigh(&intervals, &ask(101, 106)).proof, Proof::Heard, "{word}");
        }
    }

    #[test]
    fn no_more_is_claimed_than_the_log_reaches() {
        let weighed = weigh(&five(), &ask(90, 200));
        assert_eq!((weighed.proof, weighed.from, weighed.to), (Proof::Silent, at(100), at(105)));
        // At the edges, what may have been outside is left out.
        let mut intervals = five();
        intervals[0] = interval(0, &[Class::Tcp4]);
        let half = Timestamp::new(100, 500_000_000);
        let weighed = weigh(&intervals, &Question { from: half, ..ask(0, 104) });
        assert_eq!((weighed.proof, weighed.from), (Proof::Silent, at(101)));
    }

    #[test]
    fn the_claim_ends_at_the_last_sign_of_life() {
        let mut intervals = five();
        intervals[3] = interval(3, &[]);
        intervals[4] = interval(4, &[Class::Arp]);
        let alive = Question { alive: true, ..ask(100, 105) };
        let weighed = weigh(&intervals, &alive);
        assert_eq!((weighed.proof, weighed.to), (Proof::Silent, at(103)));
        intervals[4] = interval(4, &[Class::Tcp4]);
        assert_eq!(weigh(&intervals, &alive).proof, Proof::Heard);
        let dead: Vec<Interval> = (0..5).map(|number| interval(number, &[])).collect();
        let weighed = weigh(&dead, &alive);
        assert_eq!(weighed.proof, Proof::NotProven);
        assert!(weighed.why[0].contains("no sign of life"));
    }

    #[test]
    fn another_clock_is_corrected_and_its_error_is_given_away() {
        let second = 1_000_000_000;
        let offset = Offset { ahead: 50 * second, give_or_take: second / 4 };
        let weighed = weigh(&five(), &Question { offset, ..ask(50, 55) });
        assert_eq!(weighed.proof, Proof::Silent);
        assert_eq!(weighed.from, Timestamp::new(50, 500_000_000));
        assert_eq!(weighed.to, Timestamp::new(54, 500_000_000));
    }
}
