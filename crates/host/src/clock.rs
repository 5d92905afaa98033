//! The host's clock, which is the host's own claim.

use calma_record::Timestamp;

/// A clock.
pub trait Clock: Send + Sync {
    /// Real time in UTC (CLOCK_REALTIME), as the host has it.
    fn now(&self) -> Timestamp;

    /// Nanoseconds since boot including sleep (CLOCK_BOOTTIME); 0 for a tree that is not running.
    fn since_boot(&self) -> u64;
}
