//! What was proved of each way out. Nothing is called stopped that was not tried, or that did not arrive before.

use crate::proof::{Observed, Took};
use crate::witness::{Counts, Hears, Interval};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A packet got out, or something came back.
    Open,
    /// Nobody can say.
    NotTested,
    /// As far as this host, which may be in an intruder's hands, can tell.
    StoppedHere,
    /// A witness outside would have heard it, and did not.
    StoppedOutside,
}

impl Verdict {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::NotTested => "not tested",
            Self::StoppedHere => "stopped as far as this host can tell",
            Self::StoppedOutside => "stopped, seen from outside",
        }
    }
}

/// What is known of one way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The way: a name of [`crate::canary::CanaryKind`].
    pub way: String,
    /// What is known.
    pub verdict: Verdict,
    /// How many packets were sent this way.
    pub tried: usize,
    /// Why, where it is not stopped: one clause.
    pub why: String,
}

/// What a witness heard of packets that must not arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ears {
    /// Numbers of packets, in hexadecimal.
    nonces: BTreeSet<String>,
    /// Ports from which connections were opened.
    ports: BTreeSet<u16>,
    /// Whether it would have heard every frame: it hears the whole link, lost nothing, and its own wire was plugged in.
    whole: bool,
}

impl Ears {
    /// From what it counted, and how it heard.
    pub fn of(counts: &Counts, hears: &Hears, intervals: &[Interval]) -> Self {
        Self {
            nonces: counts
                .canaries
                .iter()
                .map(|heard| heard.nonce.iter().map(|byte| format!("{byte:02x}")).collect())
                .collect(),
            ports: counts.openings.iter().map(|one| one.from_port).collect(),
            whole: *hears == Hears::Everything && intervals.iter().all(|one| one.blind().is_empty()),
        }
    }

    fn has(&self, one: &Observed) -> bool {
        self.nonces.contains(&one.nonce) || one.port.is_some_and(|port| self.ports.contains(&port))
    }
}

/// Judges each way by what was sent before (nothing where it was not tried), what was sent while it was closed, and what a
/// witness heard of both.
pub fn judge(before: &[Observed], during: &[Observed], ears: Option<&Ears>) -> Vec<Way> {
    let mut ways: BTreeMap<&str, Vec<&Observed>> = BTreeMap::new();
    for one in during {
        ways.entry(one.way.as_str()).or_default().push(one);
    }
    ways.into_iter()
        .map(|(way, sent)| {
            let earlier: Vec<&Observed> = before.iter().filter(|one| one.way == way).collect();
            let (verdict, why) = one(&earlier, &sent, ears);
            Way { way: way.to_owned(), verdict, tried: sent.len(), why: why.to_owned() }
        })
        .collect()
}

fn one(before: &[&Observed], sent: &[&Observed], ears: Option<&Ears>) -> (Verdict, &'static str) {
    let arrived = |one: &&Observed| one.answered || ears.is_some_and(|ears| ears.has(one));
    if let Some(open) = sent.iter().find(|one| arrived(one)) {
        return (Verdict::Open, if open.answered { "something came back" } else { "the witness heard it" });
    }
    if sent.iter().all(|one| one.took == Took::NotTried) {
        return (Verdict::NotTested, "this kernel has no such protocol, or it could not be sent");
    }
    let quiet = |one: &&Observed| {
        matches!(one.took, Took::Dropped | Took::NoWay | Took::NotTried) || one.moved == Some(0)
    };
    let here = if sent.iter().all(quiet) {
        (Verdict::StoppedHere, "")
    } else {
        (
            Verdict::NotTested,
            "devices sent other packets at that moment, and nobody outside listened for this one",
        )
    };
    let Some(ears) = ears.filter(|ears| ears.whole) else { return here };
    let aimed: Vec<&&Observed> = sent.iter().filter(|one| one.heard).collect();
    match () {
        () if aimed.is_empty() => here,
        // What never arrived was not tested.
        () if !before.iter().any(|one| one.heard && ears.has(one)) => match here {
            (Verdict::StoppedHere, _) => here,
            _ => (Verdict::NotTested, "it did not reach the witness before either"),
        },
        () => (Verdict::StoppedOutside, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(nonce: &str) -> Observed {
        Observed {
            way: "udp4".to_owned(),
            to: "192.0.2.9:20919".to_owned(),
            from: "/proc/self/ns/net".to_owned(),
            heard: true,
            nonce: nonce.to_owned(),
            port: None,
            took: Took::Dropped,
            answered: false,
            moved: Some(0),
            at: 0,
        }
    }

    fn verdict(before: &[Observed], during: &[Observed], ears: Option<&Ears>) -> Verdict {
        judge(before, during, ears)[0].verdict
    }

    #[test]
    fn only_what_arrived_before_and_not_any_more_is_stopped_as_seen_from_outside() {
        let ears = |nonces: &[&str], whole| Ears {
            nonces: nonces.iter().map(|nonce| (*nonce).to_owned()).collect(),
            whole,
            ..Ears::default()
        };
        let (before, during) = ([sent("a")], [sent("b")]);
        assert_eq!(verdict(&before, &during, Some(&ears(&["a"], true))), Verdict::StoppedOutside);
        assert_eq!(verdict(&before, &during, Some(&ears(&["a", "b"], true))), Verdict::Open);
        assert_eq!(verdict(&before, &during, Some(&ears(&[], true))), Verdict::StoppedHere);
        assert_eq!(verdict(&[], &during, Some(&ears(&["a"], true))), Verdict::StoppedHere);
        // A witness that lost frames proves nothing.
        assert_eq!(verdict(&before, &during, Some(&ears(&["a"], false))), Verdict::StoppedHere);
        let taken = [Observed { took: Took::Yes, moved: Some(2), ..sent("b") }];
        assert_eq!(verdict(&before, &taken, Some(&ears(&[], true))), Verdict::NotTested);
        assert_eq!(verdict(&before, &taken, Some(&ears(&["a"], true))), Verdict::StoppedOutside);
    }

    #[test]
    fn without_a_witness_the_host_tells_what_it_can() {
        assert_eq!(verdict(&[], &[sent("a")], None), Verdict::StoppedHere);
        let with = |took, moved, answered| Observed { took, moved, answered, ..sent("a") };
        assert_eq!(verdict(&[], &[with(Took::Yes, Some(0), false)], None), Verdict::StoppedHere);
        assert_eq!(verdict(&[], &[with(Took::Yes, Some(1), false)], None), Verdict::NotTested);
        assert_eq!(verdict(&[], &[with(Took::Yes, None, false)], None), Verdict::NotTested);
        assert_eq!(verdict(&[], &[with(Took::Yes, Some(0), true)], None), Verdict::Open);
        assert_eq!(verdict(&[], &[with(Took::NotTried, None, false)], None), Verdict::NotTested);
        // One packet that got out counts more than many that did not.
        let both = [with(Took::Dropped, Some(0), false), with(Took::Yes, Some(1), true)];
        assert_eq!(judge(&[], &both, None)[0].verdict, Verdict::Open);
        assert_eq!(judge(&[], &both, None)[0].tried, 2);
    }
}
