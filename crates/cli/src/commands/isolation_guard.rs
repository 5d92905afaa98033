//! The guard of an isolation: this same program, started by the action that isolates, until everything is open again.

use crate::args::IsolationGuard;
use crate::exit::Exit;
use calma_host::Live;
use calma_isolate::live::LiveWorld;
use calma_isolate::order::Order;
use std::io::BufRead as _;
use std::os::fd::AsFd as _;
use std::sync::Arc;

/// Longest order.
const LONGEST: u64 = 1 << 20;

/// Reads the order, closes, tells, holds; or, as the second one, waits for the first to end.
pub(crate) fn run(arguments: &IsolationGuard) -> anyhow::Result<Exit> {
    let world = LiveWorld::new(Arc::new(Live::new()));
    if arguments.second {
        calma_isolate::second::watch(&world, std::io::stdin().as_fd());
        return Ok(Exit::Done);
    }
    if arguments.restarted {
        calma_isolate::restart::run()?;
        return Ok(Exit::Done);
    }
    let mut line = String::new();
    std::io::Read::take(std::io::stdin().lock(), LONGEST).read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    calma_isolate::serve::serve(&world, order, &mut std::io::stdout())?;
    Ok(Exit::Done)
}
