//! Kind: the host's clock against the keeper's.

use crate::{Timestamp, kind::kind};

kind! {
    /// The host's clock against the keeper's at the moment the stream's first record came.
    ClockOffset = "clock-offset" {
        /// The keeper's clock.
        1 keeper: Timestamp as Time,
        /// The host's clock.
        2 host: Timestamp as Time,
        /// Milliseconds that the host's clock is ahead; the way of the record itself is in it.
        3 ahead_ms: i64 as Plain,
    }
}
