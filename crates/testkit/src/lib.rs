//! What tests share: judging an in-memory host in one call, and disposable victim systems. Never part of the product.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support: it builds and inspects the machines that tests look at, and fails loudly"
)]

pub mod alone;
pub mod bed;
mod big_case;
pub mod binaries;
pub mod browser;
pub mod dump;
pub mod guest;
pub mod intrusion;
mod memory;
pub mod network;
pub mod plants;
pub mod random;
pub mod report;
mod specimen;
pub mod whole_tree;

pub use big_case::big_case;
pub use calma_host::{BpfLink, BpfObject, BpfProgram, Mem, Meta};
pub use memory::{Seen, check, check_rules};
pub use specimen::{Specimen, running};

/// Whether a test that belongs to the soak alone (`CALMA_SOAK`) is to be skipped and counted; it needs root as others do.
pub fn skip_outside_the_soak(test: &str) -> bool {
    if std::env::var_os("CALMA_SOAK").is_none() {
        eprintln!("skipped: {test} (in bench/soak, with CALMA_SOAK)");
        return true;
    }
    skip_without_root(test)
}

/// Whether tests that need root are to be skipped and counted (`CALMA_NO_ROOT`); without it they fail when not root.
pub fn skip_without_root(test: &str) -> bool {
    if std::env::var_os("CALMA_NO_ROOT").is_some() {
        eprintln!("skipped: {test} (CALMA_NO_ROOT is set)");
        return true;
    }
    assert!(rustix::process::geteuid().is_root(), "{test} needs root; set CALMA_NO_ROOT to skip such tests");
    false
}
