//! Arguments of the commands that cut the network and open it again.

use clap::Args;
use std::path::PathBuf;

/// Arguments of `isolate`.
#[derive(Debug, Args)]
pub(crate) struct Isolate {
    /// 1: a filter that keeps your session; 2: links down and radios off, at a console; 3: the
    /// steps outside of the host, which are only shown
    #[arg(long, value_name = "LEVEL", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub(crate) level: u8,
    /// Keep this peer too: to one port of this host, or to every one
    #[arg(long, value_name = "ADDR[:LOCALPORT]")]
    pub(crate) allow: Vec<String>,
    /// Once confirmed, stay isolated after a restart too (writes a unit, and a copy of calma in /var/lib/calma)
    #[arg(long)]
    pub(crate) after_restart: bool,
    /// Tell this witness every second that the guard lives, so that it is missed there
    #[arg(long, value_name = "ADDR/KEY")]
    pub(crate) witness: Option<String>,
    /// You sit at a console: close without a trial
    #[arg(long)]
    pub(crate) console: bool,
    /// Open again by itself after so many seconds without a confirmation
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(5..=3600))]
    pub(crate) trial: u64,
    /// Of another host (calma at): stay until the trial is confirmed or over, and say which; at a terminal that is so by itself
    #[arg(long)]
    pub(crate) wait: bool,
    /// Do as on a kernel that does not take rules away with their owner (before Linux 5.12)
    #[arg(long, hide = true)]
    pub(crate) without_owner: bool,
    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// Do it at once, without keeping first what is gone once it is cut (ransomware)
    #[arg(long)]
    pub(crate) now: bool,
    /// Freeze first what the findings of the case name and what holds packet sockets or connections, so that it does not wipe
    /// its traces when the network goes
    #[arg(long, conflicts_with_all = ["confirm", "status"])]
    pub(crate) freeze: bool,
    /// Show what it would do and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Over a new connection: make it stay
    #[arg(long, conflicts_with_all = ["dry_run", "status"])]
    pub(crate) confirm: bool,
    /// Say where it stands
    #[arg(long)]
    pub(crate) status: bool,
    /// One JSON object a line on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// The case's folder; the newest one if not given
    #[arg(long, value_name = "DIR")]
    pub(crate) case: Option<PathBuf>,
}

/// Arguments of `isolation-guard`.
#[derive(Debug, Args)]
pub(crate) struct IsolationGuard {
    /// Only wait for the guard to end, and open then
    #[arg(long)]
    pub(crate) second: bool,
    /// Close by the order that was kept for a restart
    #[arg(long)]
    pub(crate) restarted: bool,
}

/// Arguments of `release`.
#[derive(Debug, Args)]
pub(crate) struct Release {
    /// Open these ports of this host to everybody, and nothing else
    #[arg(long, value_name = "PORTS", value_delimiter = ',')]
    pub(crate) only: Vec<u16>,
    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// One JSON object a line on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// The case's folder; the newest one if not given
    #[arg(long, value_name = "DIR")]
    pub(crate) case: Option<PathBuf>,
}
