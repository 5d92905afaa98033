//! `calma isolate` and `calma release` on disposable servers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod fallback;
mod life;
mod own;
mod restart;
mod session;
