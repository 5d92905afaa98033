//! Netlink dumps, in any network namespace.

/// Questions to the kernel's network side.
pub trait Network: Send + Sync {}
