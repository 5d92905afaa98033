//! What the network collectors share: who holds which socket, which namespaces there are, and questions to them.

mod descriptors;
mod holder;
mod namespaces;
mod proc_view;
mod requests;
mod socket_row;
mod views;

pub(crate) use descriptors::Descriptors;
pub(crate) use holder::{Holder, holder};
pub(crate) use namespaces::Networks;
pub use namespaces::{Answers, Known, network_namespaces};
pub(crate) use requests::{dumped, message_body};
pub(crate) use socket_row::endpoint;
pub(crate) use views::{Key, Views, look};

/// Inode number in the text of a namespace or socket link: `net:[4026531840]`, `socket:[1234]`.
pub(crate) fn inode_of(link: &[u8], kind: &[u8]) -> Option<u64> {
    let number = link.strip_prefix(kind)?.strip_prefix(b":[")?.strip_suffix(b"]")?;
    calma_formats::lines::decimal(number)
}

/// The numeric names of a directory of /proc: process or thread ids.
pub(crate) fn numbers(tree: &dyn calma_host::Tree, path: &[u8]) -> Result<Vec<u32>, calma_host::HostError> {
    let entries = tree.list(path)?;
    Ok(entries.iter().filter_map(|entry| calma_formats::lines::decimal(entry.name.as_bytes())).collect())
}
