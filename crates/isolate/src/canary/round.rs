//! A round of canaries, and what this host alone can tell of it.

use super::outlook::counters;
use super::{ANSWER, Canary, CanaryKind, Mark, Outlook};
use calma_host::wire::{Came, Fired, Shot, fire};
use calma_host::{Host, HostError, Namespace};
use calma_record::Timestamp;
use std::time::Duration;

/// How the kernel took a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It took it; whether it left is another question.
    Yes,
    /// A hook or queue of this host threw it away.
    RefusedHere(i32),
    /// There is no way: no route, no address, the interface is down.
    NoWay(i32),
    /// It could not be tried: this kernel has no such protocol, or the right to it is missing.
    NotTried(i32),
}

/// How far the clock of whoever answered is ahead of this host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// Nanoseconds ahead; negative where it is behind.
    pub ahead: i64,
    /// Give or take so many nanoseconds: half of the way there and back.
    pub give_or_take: i64,
}

/// What became of one canary, as far as this host can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The way it tried.
    pub kind: CanaryKind,
    /// The number nobody can guess.
    pub nonce: [u8; 16],
    /// What it was aimed at.
    pub aim: super::Aim,
    /// Where it went, in words.
    pub to: String,
    /// When it was sent, by this host's clock.
    pub at: Timestamp,
    /// The port it came from, where it has one.
    pub from: Option<u16>,
    /// How the kernel took it.
    pub taken: Taken,
    /// What came back. Anything that came from outside proves a way out and a way in.
    pub came: Option<Came>,
    /// How many packets the outward devices sent while it was handed over: 0 where it did not leave, or waits for a
    /// neighbour's hardware address. `None` where the devices could not be asked.
    pub moved: Option<u64>,
    /// How far the witness's clock is ahead, where it answered.
    pub offset: Option<Offset>,
}

/// What became of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volley {
    /// Each canary.
    pub sent: Vec<Sent>,
    /// How many packets the outward devices sent in all, from before the first canary to the end of the wait.
    pub moved: Option<u64>,
}

impl Volley {
    /// The most exact measure of how far the witness's clock is ahead.
    pub fn offset(&self) -> Option<Offset> {
        self.sent.iter().filter_map(|sent| sent.offset).min_by_key(|offset| offset.give_or_take)
    }
}

/// Sends the canaries from the outlook's namespace and waits so long for what comes back.
///
/// # Errors
/// When the namespace can not be entered.
pub fn round(
    host: &dyn Host,
    outlook: &Outlook,
    canaries: &[Canary],
    wait: Duration,
) -> Result<Volley, HostError> {
    let now = host.clock().now();
    let shots: Vec<Shot> = canaries.iter().map(|canary| canary.shot(now)).collect();
    let before = sent_by_devices(host, &outlook.namespace);
    let mut counted: Vec<Option<u64>> = Vec::with_capacity(shots.len());
    let fired = fire(&outlook.namespace, &shots, wait, &mut |_| {
        // On the thread inside the namespace, which is its own there.
        counted.push(sent_by_devices(host, &Namespace::Own));
    })?;
    let after = sent_by_devices(host, &outlook.namespace);
    let mut last = before;
    let sent = canaries.iter().zip(fired).enumerate().map(|(number, (canary, fired))| {
        let count = counted.get(number).copied().flatten();
        let moved = last.zip(count).map(|(last, count)| count.saturating_sub(last));
        last = count.or(last);
        told(canary, fired, moved)
    });
    Ok(Volley {
        sent: sent.collect(),
        moved: before.zip(after).map(|(before, after)| after.saturating_sub(before)),
    })
}

/// Packets that all devices but loopback have sent so far.
fn sent_by_devices(host: &dyn Host, namespace: &Namespace) -> Option<u64> {
    let links = counters(host, namespace).ok()?;
    Some(links.iter().filter(|link| !link.loopback).fold(0, |sum, link| link.sent.saturating_add(sum)))
}

fn told(canary: &Canary, fired: Fired, moved: Option<u64>) -> Sent {
    let offset = offset(canary, &fired);
    Sent {
        kind: canary.kind,
        nonce: canary.nonce,
        aim: canary.aim,
        to: canary.to.clone(),
        at: fired.at,
        from: fired.from,
        taken: taken(fired.opened, fired.error),
        came: fired.came,
        moved,
        offset,
    }
}

/// What an error number of sending means (errno(3), nf_tables' verdicts).
fn taken(opened: bool, error: Option<i32>) -> Taken {
    const EPERM: i32 = 1;
    const ENXIO: i32 = 6;
    const EACCES: i32 = 13;
    const ENODEV: i32 = 19;
    const EADDRNOTAVAIL: i32 = 99;
    const ENETDOWN: i32 = 100;
    const ENETUNREACH: i32 = 101;
    const ENOBUFS: i32 = 105;
    const ECONNREFUSED: i32 = 111;
    const EHOSTUNREACH: i32 = 113;
    match error {
        None => Taken::Yes,
        Some(error @ (ENXIO | ENODEV | EADDRNOTAVAIL | ENETDOWN | ENETUNREACH | EHOSTUNREACH)) => {
            Taken::NoWay(error)
        }
        Some(error @ (EPERM | EACCES | ENOBUFS | ECONNREFUSED)) if opened => Taken::RefusedHere(error),
        Some(error) => Taken::NotTried(error),
    }
}

fn offset(canary: &Canary, fired: &Fired) -> Option<Offset> {
    let (Some(Came::Answer(bytes)), Some(after)) = (&fired.came, fired.after) else { return None };
    let mark = Mark::find(bytes).filter(|mark| mark.code == ANSWER && mark.nonce == canary.nonce)?;
    let half = i64::try_from(after.as_nanos()).ok()? / 2;
    let middle = fired.at.nanoseconds().saturating_add(half);
    Some(Offset { ahead: mark.sent.nanoseconds().saturating_sub(middle), give_or_take: half })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_socket_is_not_one_of_the_way() {
        assert_eq!(taken(true, None), Taken::Yes);
        assert_eq!(taken(true, Some(1)), Taken::RefusedHere(1));
        assert_eq!(taken(false, Some(1)), Taken::NotTried(1));
        assert_eq!(taken(true, Some(101)), Taken::NoWay(101));
        assert_eq!(taken(false, Some(93)), Taken::NotTried(93));
    }
}
