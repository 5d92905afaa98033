//! The confined worker: a re-executed child that reads hostile bytes in calma's place.
//!
//! A parser can be made not to panic, but not proven never to hang, to allocate without end or to run out of stack, and a
//! library's parser even less. So hostile binary formats are read in a child that holds nothing worth having: no files but
//! the one it was handed, no network, no rights, bounded memory and time. It answers in bytes, which are checked and bounded
//! like everything else from the host. A worker that dies, hangs or lies costs one answer, and the next question goes to a
//! new one. docs/decisions/0004-confined-worker.md says what was built and measured.

mod child;
mod confine;
mod filter;
mod input;
mod job;
mod pool;
mod serve;
mod wire;

pub use confine::Confinement;
pub use input::{Input, read_in_place};
pub use job::{Kept, Question, Reply, Trouble, WorkerJob};
pub use pool::Workers;
pub use serve::serve_worker;
