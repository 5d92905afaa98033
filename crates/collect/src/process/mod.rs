//! What one process shows of itself in /proc: read in one go, so that one that blocks is lost alone.

mod descriptors;
mod environment;
pub(crate) mod hidden;
mod maps;
mod named;
mod observe;

pub(crate) use observe::{Observed, Surroundings, observe};

use calma_host::{HostError, Tree};
use calma_record::Text;

/// A file of a process's folder.
pub(crate) fn file(pid: u32, name: &str) -> Vec<u8> {
    format!("/proc/{pid}/{name}").into_bytes()
}

/// The process ids that /proc lists, in order.
pub(crate) fn listed(tree: &dyn Tree) -> Result<Vec<u32>, HostError> {
    let names = tree.list(b"/proc")?;
    let mut pids: Vec<u32> =
        names.iter().filter_map(|entry| calma_formats::lines::decimal(entry.name.as_bytes())).collect();
    pids.sort_unstable();
    Ok(pids)
}

/// A path without the mark that /proc adds to files that have no name any more.
pub(crate) fn without_mark(target: &[u8]) -> (Text, bool) {
    match target.strip_suffix(b" (deleted)") {
        Some(path) => (path.into(), true),
        None => (target.into(), false),
    }
}
