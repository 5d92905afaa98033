//! Questions through bpf(2).

/// Questions about loaded BPF objects.
pub trait Bpf: Send + Sync {}
