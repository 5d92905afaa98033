//! What tests share: judging an in-memory host in one call, and disposable victim systems. Never part of the product.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support: it builds and inspects the machines that tests look at, and fails loudly"
)]

mod memory;

pub use calma_host::{Mem, Meta};
pub use memory::{Seen, check};
