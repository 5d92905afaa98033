//! `calma at HOST …`: the same on other hosts, over the user's own ssh.

use crate::args::At;
use crate::exit::{Exit, Refusal};

/// Refused until the link is in.
pub(crate) fn run(arguments: &At) -> anyhow::Result<Exit> {
    let _ = (arguments.sudo, arguments.jobs, arguments.allow_disk, &arguments.hosts, &arguments.command);
    Err(Refusal::new("calma at is not built in yet", "run calma triage on the server itself"))
}
