//! Frames and packets on a network: a capture that hears everything of an interface, and shots that ought not to arrive.
//!
//! | part | what it does |
//! |---|---|
//! | [`Capture`] | a packet socket that hears all frames of one interface, with the kernel's own count of what it lost |
//! | [`fire()`] | sends packets from a network namespace and tells how the kernel took each and what came back |
//! | [`Ears`] | plain sockets that hear what is sent to one port, where a packet socket is not allowed |
//!
//! What a packet means is unknown here.

mod capture;
mod ears;
mod errors;
mod fire;
mod message;
mod raw;
mod shot;
mod sockaddr;

pub use capture::{Capture, CaptureOptions, Captured, Direction, Instruction};
pub use ears::{Call, Ears};
pub use fire::{checksum, fire, nonce};
pub use shot::{Came, Fired, How, Shot};
