//! An interval as a record of a case, and back.

use super::{Class, Counts, Flow, Heard, Hears, Interval, Opening, Tally, Wire};
use calma_record::Timestamp;
use calma_record::kinds::WitnessInterval;
use std::net::IpAddr;

/// Canaries, openings and destinations written into one record; the rest is counted.
const WRITTEN: usize = 256;

/// The record of an interval.
pub fn row(interval: &Interval) -> WitnessInterval {
    let counts = &interval.counts;
    let beyond = |length: usize| length.saturating_sub(WRITTEN) as u64;
    WitnessInterval {
        number: interval.number,
        from: interval.from,
        to: interval.to,
        interface: interval.interface.clone(),
        hears: interval.hears.to_string(),
        suspect: interval.suspect.clone(),
        counted: counts
            .by
            .iter()
            .map(|(class, tally)| format!("{class} {} {}", tally.frames, tally.bytes))
            .collect(),
        lost: interval.lost,
        received: interval.received,
        wire: interval.wire.to_string(),
        clock_set: interval.stepped,
        multicast: counts.multicast,
        fragments: counts.fragments,
        tagged: counts.tagged,
        canaries: counts
            .canaries
            .iter()
            .take(WRITTEN)
            .map(|heard| format!("{} {} {}", hex(&heard.nonce), heard.class, heard.at.nanoseconds()))
            .collect(),
        openings: counts
            .openings
            .iter()
            .take(WRITTEN)
            .map(|one| format!("{} {} {}", one.to, one.from_port, one.to_port))
            .collect(),
        flows: counts
            .flows
            .iter()
            .take(WRITTEN)
            .map(|(flow, count)| {
                let to = flow.to.map_or_else(|| "-".to_owned(), |to| to.to_string());
                format!("{to} {} {} {count}", flow.port, flow.class)
            })
            .collect(),
        beats: counts.beats,
        more: counts.more
            + beyond(counts.canaries.len())
            + beyond(counts.openings.len())
            + beyond(counts.flows.len()),
        ahead: counts.ahead,
    }
}

/// The interval of a record. What can not be read in it makes it blind rather than silent.
pub fn from_row(row: &WitnessInterval) -> Interval {
    let mut counts = Counts {
        multicast: row.multicast,
        fragments: row.fragments,
        tagged: row.tagged,
        beats: row.beats,
        more: row.more,
        ahead: row.ahead,
        ..Counts::default()
    };
    let mut unread = false;
    for line in &row.counted {
        match tally(line) {
            Some((class, tally)) => drop(counts.by.insert(class, tally)),
            None => unread = true,
        }
    }
    counts.canaries.extend(row.canaries.iter().filter_map(|line| heard(line)));
    counts.openings.extend(row.openings.iter().filter_map(|line| opening(line)));
    counts.flows.extend(row.flows.iter().filter_map(|line| flow(line)));
    Interval {
        number: row.number,
        from: row.from,
        to: row.to,
        interface: row.interface.clone(),
        hears: Hears::from_name(&row.hears),
        suspect: row.suspect.clone(),
        counts,
        lost: row.lost,
        received: row.received,
        wire: if unread { Wire::Unknown } else { Wire::from_name(&row.wire) },
        stepped: row.clock_set,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tally(line: &str) -> Option<(Class, Tally)> {
    let mut words = line.split(' ');
    let class = Class::from_name(words.next()?)?;
    Some((class, Tally { frames: words.next()?.parse().ok()?, bytes: words.next()?.parse().ok()? }))
}

fn heard(line: &str) -> Option<Heard> {
    let mut words = line.split(' ');
    let digits = words.next().filter(|digits| digits.len() == 32 && digits.is_ascii())?;
    let mut nonce = [0; 16];
    for (at, byte) in nonce.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    let class = Class::from_name(words.next()?)?;
    Some(Heard { nonce, class, at: Timestamp::from_nanoseconds(words.next()?.parse().ok()?) })
}

fn opening(line: &str) -> Option<Opening> {
    let mut words = line.split(' ');
    let to = words.next()?.parse().ok()?;
    Some(Opening { to, from_port: words.next()?.parse().ok()?, to_port: words.next()?.parse().ok()? })
}

fn flow(line: &str) -> Option<(Flow, u64)> {
    let mut words = line.split(' ');
    let to = match words.next()? {
        "-" => None,
        address => Some(address.parse::<IpAddr>().ok()?),
    };
    let port = words.next()?.parse().ok()?;
    let class = Class::from_name(words.next()?)?;
    Some((Flow { class, to, port }, words.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_comes_back_and_one_of_a_newer_calma_is_no_silence() {
        let mut counts =
            Counts { multicast: 1, fragments: 2, tagged: 3, beats: 4, ahead: Some(-5), ..Counts::default() };
        counts.by.insert(Class::Udp6, Tally { frames: 6, bytes: 700 });
        counts.canaries.push(Heard { nonce: [0xab; 16], class: Class::Udp6, at: Timestamp::new(9, 8) });
        counts.openings.push(Opening { to: "192.0.2.1".parse().unwrap(), from_port: 1, to_port: 2 });
        counts.flows.insert(Flow { class: Class::OtherProtocol, to: None, port: 0 }, 3);
        counts.flows.insert(Flow { class: Class::Udp6, to: "2001:db8::1".parse().ok(), port: 53 }, 3);
        let interval = Interval {
            number: 7,
            from: Timestamp::new(1, 2),
            to: Timestamp::new(3, 4),
            interface: "eth0".into(),
            hears: Hears::Everything,
            suspect: vec!["02:00:00:00:00:01".to_owned()],
            counts,
            lost: 1,
            received: Some(12),
            wire: Wire::Unplugged,
            stepped: true,
        };
        let mut written = row(&interval);
        assert_eq!(from_row(&written), interval);
        written.wire = "up".to_owned();
        written.counted.push("quic4 3 100".to_owned());
        assert_eq!(from_row(&written).wire, Wire::Unknown);
    }
}
