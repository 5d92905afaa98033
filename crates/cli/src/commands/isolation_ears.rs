//! The clean side as a witness of an isolation: it hears, seals what it heard into the case, and says what it was.

use crate::machine::Machine;
use calma_case::Case;
use calma_host::Live;
use calma_isolate::order::Order;
use calma_isolate::preview::{Arrival, Preview};
use calma_isolate::verdict::Ears;
use calma_isolate::witness::{Options, place};
use calma_recovery::Attestation;
use std::net::IpAddr;
use std::sync::Arc;

/// A witness beside a command that isolates another host.
pub(crate) struct Listening {
    attestation: Attestation,
    /// The address by which the host reaches this machine.
    pub(crate) address: IpAddr,
}

/// Begins to hear, where the host is another one and its address is known. Without a witness an isolation is only what the host
/// says of itself; why there is none is told.
pub(crate) fn begin(
    case: &Case,
    machine: &Machine<'_>,
    preview: &Preview,
    order: &Order,
) -> Option<Listening> {
    let (Machine::At(..), Arrival::Through(connection)) = (machine, &preview.arrival) else { return None };
    let host = Arc::new(Live::new());
    let found = match place(host.as_ref(), None, &[connection.local.to_string()]) {
        Ok(found) => found,
        Err(error) => {
            eprintln!("  This machine can not witness: {error}");
            return None;
        }
    };
    let key = order.beat.map(|beat| beat.key);
    let options = Options { kept: vec![connection.kept()], key, ..Options::at(found) };
    match Attestation::begin(case, host as Arc<dyn calma_host::Host>, options) {
        Ok(attestation) => Some(Listening { attestation, address: connection.peer }),
        Err(error) => {
            eprintln!("  This machine can not witness: {error}");
            None
        }
    }
}

/// Seals what was heard.
pub(crate) fn end(listening: Listening) -> Option<Ears> {
    let hears = listening.attestation.witness().hears();
    match listening.attestation.end() {
        Ok((counts, intervals, _)) => Some(Ears::of(&counts, &hears, &intervals)),
        Err(error) => {
            eprintln!("  What was heard could not be sealed: {error}");
            None
        }
    }
}
