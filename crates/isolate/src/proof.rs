//! What was tried, and what this host alone can tell of it: packets that must not arrive, sent from every namespace that leads
//! out. The verdict ([`crate::verdict`]) is made from this and from what a witness heard.

use crate::canary::{self, Aim, Outlook, Sent, Taken};
use crate::survey::{Place, survey};
use calma_collect::{Context, Options};
use calma_host::{Host, Live, wire::Came};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Most namespaces from which is tried.
const PLACES: usize = 64;

/// What is to be tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prove {
    /// Where witnesses listen; none: no further than the next hop.
    pub witnesses: Vec<IpAddr>,
    /// How long to wait for what comes back, in milliseconds.
    pub wait: u64,
}

/// How the kernel took a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Took {
    /// It took it.
    Yes,
    /// It was dropped here.
    Dropped,
    /// There is no way.
    NoWay,
    /// It could not be tried.
    NotTried,
}

/// What became of one packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The way it tried: a name of [`canary::CanaryKind`].
    pub way: String,
    /// Where it went, in words.
    pub to: String,
    /// The file of the namespace it came from.
    pub from: String,
    /// Whether it was aimed at a witness or at the link, where one hears it.
    pub heard: bool,
    /// Its number that nobody can guess, in hexadecimal.
    pub nonce: String,
    /// The port it came from, for connections.
    pub port: Option<u16>,
    /// How the kernel took it.
    pub took: Took,
    /// Whether something came back from outside.
    pub answered: bool,
    /// How many packets the devices sent while it was handed over, all traffic counted.
    pub moved: Option<u64>,
    /// When, by this host's clock, in nanoseconds since 1970.
    pub at: i64,
}

/// Sends a round from every namespace that leads out.
pub fn observe(prove: &Prove) -> Vec<Observed> {
    let live = Arc::new(Live::new());
    let host: Arc<dyn Host> = Arc::clone(&live) as Arc<dyn Host>;
    let survey = survey(&Context::new(Arc::clone(&host), Options::default()));
    let wait = Duration::from_millis(prove.wait.clamp(50, 10_000));
    let own = |address: &IpAddr| survey.places.iter().any(|place| place.has(*address));
    let from = |place: &Place| {
        let mut outlook =
            Outlook::of(host.as_ref(), place.namespace.clone(), prove.witnesses.clone()).ok()?;
        // A next hop behind a device that ends on this host is this host: its answer says nothing of the way out.
        outlook.gateways.retain(|gateway| !place.harmless().contains(&gateway.interface));
        let all = canary::canaries(&outlook).ok()?;
        let volley = canary::round(host.as_ref(), &outlook, &all, wait).ok()?;
        let file = place.file.to_string();
        Some(volley.sent.iter().map(|sent| observed(sent, &file, &own)).collect::<Vec<_>>())
    };
    // At the same time: each waits for what comes back.
    let places: Vec<&Place> = survey.leading_out().take(PLACES).collect();
    std::thread::scope(|scope| {
        let rounds: Vec<_> = places.iter().map(|place| scope.spawn(|| from(place))).collect();
        rounds.into_iter().filter_map(|round| round.join().ok().flatten()).flatten().collect()
    })
}

fn observed(sent: &Sent, from: &str, own: &dyn Fn(&IpAddr) -> bool) -> Observed {
    Observed {
        way: sent.kind.name().to_owned(),
        to: sent.to.clone(),
        from: from.to_owned(),
        heard: matches!(sent.aim, Aim::Witness | Aim::Link),
        nonce: sent.nonce.iter().map(|byte| format!("{byte:02x}")).collect(),
        port: sent.from.filter(|_| sent.kind.is_stream()),
        took: match sent.taken {
            Taken::Yes => Took::Yes,
            Taken::RefusedHere(_) => Took::Dropped,
            Taken::NoWay(_) => Took::NoWay,
            Taken::NotTried(_) => Took::NotTried,
        },
        answered: came_from_outside(sent.came.as_ref(), own),
        moved: sent.moved,
        at: sent.at.nanoseconds(),
    }
}

/// Whether what came back can not have been made by this host itself.
fn came_from_outside(came: Option<&Came>, own: &dyn Fn(&IpAddr) -> bool) -> bool {
    match came {
        None => false,
        Some(Came::Error { by, .. }) => by.as_ref().is_some_and(|by| !own(by)),
        Some(Came::Answer(_) | Came::Connected | Came::Refused) => true,
    }
}
