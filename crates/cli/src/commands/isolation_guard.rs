//! The guard of an isolation: this same program, started by the action that isolates, until everything is open again.

use crate::exit::Exit;
use calma_host::Live;
use calma_isolate::live::LiveWorld;
use calma_isolate::order::Order;
use std::io::BufRead as _;
use std::sync::Arc;

/// Longest order.
const LONGEST: u64 = 1 << 20;

/// Reads the order, closes, tells, holds.
pub(crate) fn run() -> anyhow::Result<Exit> {
    let mut line = String::new();
    std::io::Read::take(std::io::stdin().lock(), LONGEST).read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    let world = LiveWorld::new(Arc::new(Live::new()));
    calma_isolate::serve::serve(&world, order, &mut std::io::stdout())?;
    Ok(Exit::Done)
}
