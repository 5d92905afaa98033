//! What a collector is.

use crate::{Context, Flow, Out};
use std::{sync::Arc, time::Duration};

/// How soon a thing is gone (RFC 3227): collectors run in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volatility {
    /// Gone in seconds: connections, processes.
    Seconds,
    /// Gone at a restart of a service or of the host: kernel state, mounts.
    UntilReboot,
    /// On disk.
    OnDisk,
}

/// What must be there for a collector to have anything to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// A tree of files, running or not.
    Tree,
    /// A running kernel.
    Kernel,
}

/// A collector's card.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// Name, the same as its file's with `-` for `_`.
    pub name: &'static str,
    /// What a progress line says while it runs: "Looking at processes".
    pub doing: &'static str,
    /// One sentence for help and documentation.
    pub doc: &'static str,
    /// When it runs.
    pub volatility: Volatility,
    /// What it needs.
    pub needs: Needs,
    /// How long it may take before it is left behind.
    pub patience: Duration,
}

/// A collector: its card and its function. Each file in `collectors/` has one, `COLLECTOR`.
#[derive(Clone, Copy, Debug)]
pub struct Collector {
    /// Its card.
    pub card: Card,
    /// Looks at the host and puts out facts and gaps. Ends early when [`Out`] says [`Flow::Break`].
    pub collect: fn(&Arc<Context>, &mut Out) -> Flow,
}
