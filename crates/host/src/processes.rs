//! Views on processes by system call, beside /proc.

/// Views on processes that do not go through a directory listing.
pub trait Processes: Send + Sync {}
