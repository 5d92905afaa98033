//! What an isolation would do, before anything is done.

use crate::order::State;
use crate::preflight::{self, Concern};
use crate::rules::Lease;
use crate::session::{Came, Connection, came};
use crate::survey::{Survey, survey};
use crate::{Kept, external, groups, restart, start};
use calma_collect::{Context, Options};
use calma_formats::proc_net;
use calma_host::wires::{Glance as _, LiveGlance};
use calma_host::{Host, Live, Namespace, ground};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// Most names of one kind that are told.
const MOST: usize = 64;

/// A namespace from which something leads out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file that stands for it.
    pub file: String,
    /// Whether calma runs in it.
    pub own: bool,
    /// How many processes are known to be in it.
    pub processes: usize,
    /// The devices that lead out, each with its kind where it has one.
    pub devices: Vec<String>,
    /// Next hops to what is kept.
    pub hops: Vec<IpAddr>,
}

/// How the administrator came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// Through this connection.
    Through(Connection),
    /// At a console.
    Console(String),
    /// It can not be told; these logins are connected.
    Unclear(BTreeSet<Connection>),
}

impl Arrival {
    /// The connection in the form of [`crate::order::Order::through`]; empty where there is none.
    pub fn through(&self) -> String {
        match self {
            Self::Through(one) => format!("{} {} {}", one.peer, one.peer_port, one.port),
            Self::Console(_) | Self::Unclear(_) => String::new(),
        }
    }
}

/// What an isolation would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// Where something leads out.
    pub places: Vec<Place>,
    /// Namespaces that can not be entered, with the reason.
    pub closed: Vec<String>,
    /// How the administrator came.
    pub arrival: Arrival,
    /// Programs of control groups that see packets.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Ports that listen for others, which nobody will reach.
    pub listening: BTreeSet<u16>,
    /// What may go wrong outside or by itself, the heaviest first.
    pub concerns: Vec<Concern>,
    /// DHCP servers by which addresses on the way to what is kept are lent.
    pub leases: Vec<Lease>,
    /// The steps outside of the host (level 3), as lines of text, the likeliest place first.
    pub outside: Vec<String>,
    /// An isolation that is there already, and whether its guard lives.
    pub already: Option<(State, bool)>,
    /// Whether the tables of one without a guard are in force, in every namespace that is still there.
    #[serde(default)]
    pub stands: bool,
    /// Whether a unit keeps a restart isolated.
    #[serde(default)]
    pub after_restart: bool,
    /// Why none could; `None` where one can.
    #[serde(default)]
    pub no_unit: Option<String>,
    /// Whether the kernel takes rules away with the process that owns them; `None` where it was not told.
    #[serde(default)]
    pub owner: Option<bool>,
}

/// The arrival of whoever started process `own`.
pub fn arrival(host: &dyn Host) -> Arrival {
    let lines = ground::processes().unwrap_or_default();
    match came(host, &lines, std::process::id()) {
        Came::Through(connection) => Arrival::Through(connection),
        Came::Console(terminal) => Arrival::Console(terminal.to_owned()),
        Came::Unclear(logins) => Arrival::Unclear(logins),
    }
}

/// Looks; changes nothing.
pub fn preview(kept: &[Kept]) -> Preview {
    let live = Arc::new(Live::new());
    let host: Arc<dyn Host> = Arc::clone(&live) as Arc<dyn Host>;
    let survey = survey(&Context::new(Arc::clone(&host), Options::default()));
    let arrival = arrival(host.as_ref());
    let mut kept = kept.to_vec();
    if let Arrival::Through(connection) = &arrival {
        kept.push(connection.kept());
    }
    let peer = kept.first().map(|kept| kept.peer);
    let lent = preflight::leases(&preflight::Sight::of(host.as_ref(), peer));
    let server = |lent: &preflight::Lent| match lent.server {
        Some(IpAddr::V4(server)) => Some(Lease { server }),
        _ => None,
    };
    let already = start::status(&ground::boot()).ok().flatten();
    Preview {
        stands: already.as_ref().is_some_and(|(state, _)| stands(&survey, state)),
        after_restart: restart::is_there(),
        no_unit: restart::why_not().map(str::to_owned),
        owner: LiveGlance::new().abilities(&Namespace::Own).ok().map(|can| can.owner),
        concerns: preflight::preflight(host.as_ref(), peer).into_iter().take(MOST).collect(),
        leases: lent.iter().filter_map(server).collect::<BTreeSet<_>>().into_iter().collect(),
        outside: external::steps(host.as_ref()).into_iter().flat_map(lines).collect(),
        places: places(&survey, &kept),
        closed: survey.closed.iter().map(|(file, why)| format!("{file}: {why}")).take(MOST).collect(),
        arrival,
        groups: groups::words(&ground::group_programs().unwrap_or_default()),
        listening: listening(host.as_ref()),
        already,
    }
}

/// Whether tables of an isolation are in force in every namespace that it cut: what its state says is what was meant.
fn stands(survey: &Survey, state: &State) -> bool {
    let glance = LiveGlance::new();
    let there = |cut: &crate::order::Cut| {
        let place = survey.places.iter().find(|place| place.inode == cut.inode)?;
        let tables = glance.tables(&place.namespace).ok()?;
        Some(
            tables
                .iter()
                .any(|seen| [&cut.table, &cut.lasting].iter().any(|name| seen.table.name == ***name)),
        )
    };
    !state.cuts.is_empty() && state.cuts.iter().all(|cut| there(cut).unwrap_or(false))
}

/// Steps outside of the host, as lines.
fn lines(steps: &external::Steps) -> Vec<String> {
    let mut lines = vec![format!("At {}", steps.provider.name())];
    let numbered = |title: &str, steps: &[&str]| {
        let step = |(number, step): (usize, &&str)| format!("{title} {}: {step}", number + 1);
        steps.iter().enumerate().map(step).collect::<Vec<_>>()
    };
    lines.extend(numbered("First", steps.first));
    lines.extend(numbered("Cut", steps.cut));
    lines.push(format!("See that it is cut: {}", steps.check));
    lines.extend(numbered("Back", steps.back));
    lines.push(format!("Mind: {}", steps.mind));
    lines
}

fn places(survey: &Survey, kept: &[Kept]) -> Vec<Place> {
    let device = |device: &crate::survey::Device| match device.link.kind.as_str() {
        Some("") | None => device.link.name.to_string(),
        Some(kind) => format!("{} ({kind})", device.link.name),
    };
    let place = |place: &crate::survey::Place| Place {
        file: place.file.to_string(),
        own: place.own,
        processes: place.pids.len(),
        devices: place.outward().map(device).take(MOST).collect(),
        hops: kept
            .iter()
            .flat_map(|kept| place.next_hops(kept.peer))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
    };
    survey.leading_out().map(place).collect()
}

/// Ports of TCP that listen on other addresses than loopback.
fn listening(host: &dyn Host) -> BTreeSet<u16> {
    let table = |name: &str| {
        let read = host.tree().read(format!("/proc/self/net/{name}").as_bytes(), 16 << 20);
        read.map(|content| proc_net::inet(&content.bytes)).unwrap_or_default()
    };
    let rows = [table("tcp"), table("tcp6")].concat();
    rows.iter()
        .filter(|row| row.state == 10 && !row.local.is_loopback())
        .map(|row| row.local_port)
        .take(MOST)
        .collect()
}
