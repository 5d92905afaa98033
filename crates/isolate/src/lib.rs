//! Off the network, and proved.
//!
//! | part | what it is |
//! |---|---|
//! | [`preflight`] | what may destroy evidence or the server when it goes silent, and the step outside to do first |
//! | [`external`] | the exact steps of level 3: cable, switch, cloud, hypervisor |
//! | [`canary`] | packets that must not arrive |
//! | [`witness`] | another machine that counts everything that comes from the suspect |
#![forbid(unsafe_code)]

pub mod canary;
pub mod external;
pub mod preflight;
pub mod witness;
