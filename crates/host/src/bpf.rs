//! Questions through bpf(2). Nothing is loaded, attached or changed by them.

use crate::HostError;
use calma_record::Text;

/// What kind of loaded BPF object is walked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BpfObject {
    /// Programs.
    Program,
    /// Maps.
    Map,
    /// Links, which hold programs where they are attached.
    Link,
}

/// A loaded program (`struct bpf_prog_info`, linux/bpf.h).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BpfProgram {
    /// Its number.
    pub id: u32,
    /// `enum bpf_prog_type`.
    pub kind: u32,
    /// Name its loader gave it (at most 15 bytes).
    pub name: Text,
    /// Digest of its instructions.
    pub tag: [u8; 8],
    /// Digests of its functions; empty if the kernel does not say (before 4.20).
    pub function_tags: Vec<[u8; 8]>,
    /// Nanoseconds since boot when it was loaded.
    pub loaded: u64,
    /// User id that loaded it.
    pub uid: u32,
    /// Numbers of the maps it uses.
    pub maps: Vec<u32>,
    /// What it calls of the kernel, as distances from the symbol `__bpf_call_base`, sorted; empty if the kernel does not
    /// say.
    pub calls: Vec<i32>,
    /// Number of instructions; 0 if the kernel does not say.
    pub instructions: u32,
}

/// A loaded map (`struct bpf_map_info`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BpfMap {
    /// Its number.
    pub id: u32,
    /// `enum bpf_map_type`.
    pub kind: u32,
    /// Name.
    pub name: Text,
}

/// A link (`struct bpf_link_info`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BpfLink {
    /// Its number.
    pub id: u32,
    /// `enum bpf_link_type`.
    pub kind: u32,
    /// The program it holds.
    pub program: u32,
    /// `enum bpf_attach_type`, where the kind of link has one.
    pub attach: Option<u32>,
    /// What it is attached to as a number: an interface, a control group, a network namespace; 0 if none.
    pub target: u64,
    /// What it is attached to by name: a tracepoint, a function; empty if none.
    pub name: Text,
}

/// Questions about loaded BPF objects.
pub trait Bpf: Send + Sync {
    /// The numbers of all loaded objects of a kind, in order, at most 100,000.
    ///
    /// # Errors
    /// Without CAP_SYS_ADMIN, and on kernels before 4.13.
    fn ids(&self, object: BpfObject) -> Result<Vec<u32>, HostError>;

    /// A program.
    ///
    /// # Errors
    /// When it is gone or not for us.
    fn program(&self, id: u32) -> Result<BpfProgram, HostError>;

    /// A map.
    ///
    /// # Errors
    /// When it is gone or not for us.
    fn map(&self, id: u32) -> Result<BpfMap, HostError>;

    /// A link.
    ///
    /// # Errors
    /// When it is gone, not for us, or the kernel has no links (before 5.7).
    fn link(&self, id: u32) -> Result<BpfLink, HostError>;

    /// What a file of a bpf file system stands for, and its number.
    ///
    /// # Errors
    /// When it is no such file or not for us.
    fn pinned(&self, path: &[u8]) -> Result<(BpfObject, u32), HostError>;

    /// The programs attached to a control group's directory for an attach type.
    ///
    /// # Errors
    /// When it is no control group or the kernel does not know the type.
    fn on_group(&self, path: &[u8], attach: u32) -> Result<Vec<u32>, HostError>;

    /// The programs attached to an interface (tcx, since 6.6) of calma's own network namespace.
    ///
    /// # Errors
    /// When there is no such interface or the kernel does not know the type.
    fn on_interface(&self, index: u32, attach: u32) -> Result<Vec<u32>, HostError>;
}
