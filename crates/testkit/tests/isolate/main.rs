//! `calma isolate` and `calma release` on disposable servers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod attacks;
mod bpf;
mod consoles;
mod fallback;
mod faults;
mod guest;
mod kills;
mod life;
mod own;
mod paths;
mod restart;
mod session;
mod speed;
mod suspects;
mod terminals;
mod timer;
