//! The BPF objects of an in-memory host.

use super::MemKernel;
use crate::bpf::{BpfLink, BpfMap, BpfObject, BpfProgram};
use crate::{Bpf, Cause, HostError};

/// The BPF objects of an in-memory host.
#[derive(Debug, Default)]
pub struct MemBpf {
    /// Programs.
    pub programs: Vec<BpfProgram>,
    /// Maps.
    pub maps: Vec<BpfMap>,
    /// Links.
    pub links: Vec<BpfLink>,
    /// Programs on a control group's directory, with their attach type.
    pub on_groups: Vec<(Vec<u8>, u32, u32)>,
    /// Files of a bpf file system.
    pub pins: Vec<(Vec<u8>, BpfObject, u32)>,
    /// Error number of every question, if they are refused.
    pub refused: Option<i32>,
}

impl MemBpf {
    fn answer<T>(&self, value: Option<T>) -> Result<T, HostError> {
        let errno = self.refused.unwrap_or(libc::ENOENT);
        value.filter(|_| self.refused.is_none()).ok_or(HostError::new("bpf", "bpf", Cause::Errno(errno)))
    }
}

impl Bpf for MemKernel {
    fn ids(&self, object: BpfObject) -> Result<Vec<u32>, HostError> {
        self.bpf.answer(Some(match object {
            BpfObject::Program => self.bpf.programs.iter().map(|program| program.id).collect(),
            BpfObject::Map => self.bpf.maps.iter().map(|map| map.id).collect(),
            BpfObject::Link => self.bpf.links.iter().map(|link| link.id).collect(),
        }))
    }

    fn program(&self, id: u32) -> Result<BpfProgram, HostError> {
        self.bpf.answer(self.bpf.programs.iter().find(|program| program.id == id).cloned())
    }

    fn map(&self, id: u32) -> Result<BpfMap, HostError> {
        self.bpf.answer(self.bpf.maps.iter().find(|map| map.id == id).cloned())
    }

    fn link(&self, id: u32) -> Result<BpfLink, HostError> {
        self.bpf.answer(self.bpf.links.iter().find(|link| link.id == id).cloned())
    }

    fn pinned(&self, path: &[u8]) -> Result<(BpfObject, u32), HostError> {
        self.bpf
            .answer(self.bpf.pins.iter().find(|(pin, ..)| pin == path).map(|(_, object, id)| (*object, *id)))
    }

    fn on_group(&self, path: &[u8], attach: u32) -> Result<Vec<u32>, HostError> {
        let here = self.bpf.on_groups.iter().filter(|(group, kind, _)| group == path && *kind == attach);
        self.bpf.answer(Some(here.map(|(.., program)| *program).collect()))
    }

    fn on_interface(&self, _index: u32, _attach: u32) -> Result<Vec<u32>, HostError> {
        self.bpf.answer(Some(Vec::new()))
    }
}
