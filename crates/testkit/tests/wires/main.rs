//! The wires on the running kernel, with `nft`, `ip`, `ss` and `tc` as judges, in namespaces of the test's own.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that acts on namespaces of its own"
)]

mod connections;
mod filter;
mod guest;
mod links;
mod own;
mod programs;
mod radios;
