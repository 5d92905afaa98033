//! bpf(2) on this machine: reading, and the few programs of calma's own (`task_iterator`, `neutral`).
//!
//! Structures are byte buffers filled at the offsets of linux/bpf.h, so that the kernel's growing them can not matter:
//! of information it writes at most the length it is told. `BPF_PROG_QUERY` does not keep to that: see `query`.

use super::kernel::LiveKernel;
use crate::bpf::{BpfLink, BpfMap, BpfObject, BpfProgram};
use crate::{Bpf, Cause, HostError};
use rustix::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};

/// `enum bpf_cmd`, linux/bpf.h: the commands that only read, those that make the iterator over tasks, those that put one
/// attached program in the place of another, and those that detach, which only `hands` asks for.
#[derive(Clone, Copy)]
pub(super) enum Command {
    Load = 5,
    Pinned = 7,
    Attach = 8,
    Detach = 9,
    ProgramNext = 11,
    MapNext = 12,
    ProgramById = 13,
    MapById = 14,
    Info = 15,
    Query = 16,
    MakeLink = 28,
    UpdateLink = 29,
    LinkById = 30,
    LinkNext = 31,
    MakeIterator = 33,
    DetachLink = 34,
}

const PLACE: &[u8] = b"bpf";

/// A buffer that the kernel reads an attribute from or writes information to.
pub(super) struct Words<const N: usize>([u64; N]);

impl<const N: usize> Words<N> {
    const LENGTH: usize = N * 8;

    pub(super) fn new() -> Self {
        Self([0; N])
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    pub(super) fn u32(&self, at: usize) -> u32 {
        let word = self.0.get(at / 8).copied().unwrap_or(0).to_ne_bytes();
        let half = word.get(at % 8..at % 8 + 4).and_then(|half| half.try_into().ok());
        half.map_or(0, u32::from_ne_bytes)
    }

    fn u64(&self, at: usize) -> u64 {
        self.0.get(at / 8).copied().unwrap_or(0)
    }

    pub(super) fn set_u32(&mut self, at: usize, value: u32) {
        if let Some(word) = self.0.get_mut(at / 8) {
            let mut bytes = word.to_ne_bytes();
            if let Some(half) = bytes.get_mut(at % 8..at % 8 + 4) {
                half.copy_from_slice(&value.to_ne_bytes());
            }
            *word = u64::from_ne_bytes(bytes);
        }
    }

    pub(super) fn set_u64(&mut self, at: usize, value: u64) {
        if let Some(word) = self.0.get_mut(at / 8) {
            *word = value;
        }
    }

    fn text(&self, at: usize, length: usize) -> calma_record::Text {
        let bytes = self.bytes();
        let name = bytes.get(at..at + length).unwrap_or_default();
        name.split(|b| *b == 0).next().unwrap_or_default().into()
    }
}

pub(super) fn call<const N: usize>(command: Command, attribute: &mut Words<N>) -> Result<i64, HostError> {
    // SAFETY: the attribute is a live buffer of exactly the length given, exclusively borrowed for the call. Addresses in
    // it are set by this file's functions alone, to buffers that outlive the call and have the lengths stated beside them.
    // What the commands of `Command` make is held by the descriptor they give, which the caller owns.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command as libc::c_long, attribute.0.as_mut_ptr(), Words::<N>::LENGTH)
    };
    if result >= 0 {
        return Ok(result);
    }
    let errno = std::io::Error::last_os_error().raw_os_error();
    Err(HostError::new("bpf", PLACE, errno.map_or(Cause::Unsupported, Cause::Errno)))
}

/// A descriptor that the command makes.
pub(super) fn made<const N: usize>(command: Command, attribute: &mut Words<N>) -> Result<OwnedFd, HostError> {
    let fd = call(command, attribute)?;
    let fd = i32::try_from(fd).map_err(|_| HostError::new("bpf", PLACE, Cause::Unsupported))?;
    // SAFETY: the kernel just made this descriptor for this call (with O_CLOEXEC) and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A descriptor of an object by its number.
pub(super) fn open(command: Command, id: u32) -> Result<OwnedFd, HostError> {
    // Twelve bytes are the attribute of these commands; more must be zero, and is.
    let mut attribute = Words::<2>::new();
    attribute.set_u32(0, id);
    made(command, &mut attribute)
}

/// A descriptor of a pinned object.
fn open_pinned(path: &[u8]) -> Result<OwnedFd, HostError> {
    const READ_ONLY: u32 = 1 << 3;
    let unfit = |_| HostError::new("bpf", path, Cause::Unsupported);
    let name = std::ffi::CString::new(path).map_err(unfit)?;
    let open = |flags| {
        let mut attribute = Words::<2>::new();
        attribute.set_u64(0, name.as_ptr().expose_provenance() as u64);
        attribute.set_u32(12, flags);
        made(Command::Pinned, &mut attribute)
    };
    match open(READ_ONLY) {
        // A link is given out for reading and writing, or not at all (kernel/bpf/inode.c, bpf_obj_get_user).
        Err(error) if error.cause == Cause::Errno(libc::EINVAL) => open(0),
        other => other,
    }
}

/// Fills `info`, in which the addresses of further buffers may be set.
fn info<const N: usize>(fd: &OwnedFd, info: &mut Words<N>) -> Result<(), HostError> {
    let mut attribute = Words::<2>::new();
    attribute.set_u32(0, u32::try_from(fd.as_raw_fd()).unwrap_or(u32::MAX));
    attribute.set_u32(4, u32::try_from(Words::<N>::LENGTH).unwrap_or(0));
    attribute.set_u64(8, info.0.as_mut_ptr().expose_provenance() as u64);
    call(Command::Info, &mut attribute).map(drop)
}

/// `BPF_PROG_QUERY` for a target.
fn query(target: u32, attach: u32) -> Result<Vec<u32>, HostError> {
    let mut ids = vec![0_u32; 64];
    // The whole `union bpf_attr` of today and more: this command writes `query.revision` (offset 56, Linux 6.6 for
    // devices, 6.17 for groups) whatever length it is told. Shorter, and it writes over what lies behind.
    let mut attribute = Words::<32>::new();
    attribute.set_u32(0, target);
    attribute.set_u32(4, attach);
    attribute.set_u64(16, ids.as_mut_ptr().expose_provenance() as u64);
    attribute.set_u32(24, 64);
    call(Command::Query, &mut attribute)?;
    ids.truncate(usize::try_from(attribute.u32(24)).unwrap_or(0).min(64));
    Ok(ids)
}

/// One instruction (`struct bpf_insn`, linux/bpf.h).
pub(super) fn instruction(code: u8, to: u8, from: u8, offset: i16, constant: i32) -> u64 {
    let registers = if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
    let ([o0, o1], [c0, c1, c2, c3]) = (offset.to_ne_bytes(), constant.to_ne_bytes());
    u64::from_ne_bytes([code, registers, o0, o1, c0, c1, c2, c3])
}

/// A program's instructions, as the kernel shows them.
pub(crate) fn instructions(id: u32) -> Result<Vec<u8>, HostError> {
    let fd = open(Command::ProgramById, id)?;
    let mut first = Words::<29>::new();
    info(&fd, &mut first)?;
    let length = first.u32(20).min(8 << 20);
    let mut bytes = vec![0_u8; usize::try_from(length).unwrap_or(0)];
    let mut second = Words::<29>::new();
    second.set_u32(20, length);
    second.set_u64(32, bytes.as_mut_ptr().expose_provenance() as u64);
    info(&fd, &mut second)?;
    Ok(bytes)
}

/// Detaches a link from what it is attached to; it stays as an empty shell as long as somebody holds it.
pub(crate) fn detach_link(id: u32) -> Result<(), HostError> {
    let link = open(Command::LinkById, id)?;
    let mut attribute = Words::<2>::new();
    attribute.set_u32(0, u32::try_from(link.as_raw_fd()).unwrap_or(u32::MAX));
    call(Command::DetachLink, &mut attribute).map(drop)
}

/// Detaches a program from a target: the descriptor of a control group, or an interface's number.
pub(crate) fn detach(target: u32, program: u32, attach: u32) -> Result<(), HostError> {
    let program = open(Command::ProgramById, program)?;
    let mut attribute = Words::<8>::new();
    attribute.set_u32(0, target);
    attribute.set_u32(4, u32::try_from(program.as_raw_fd()).unwrap_or(u32::MAX));
    attribute.set_u32(8, attach);
    call(Command::Detach, &mut attribute).map(drop)
}

/// What a program's instructions call of the kernel: the constants of `call` instructions to helpers (opcode 0x85 with
/// source register 0).
fn calls(instructions: &[u64]) -> Vec<i32> {
    let mut calls: Vec<i32> = instructions
        .iter()
        .map(|instruction| instruction.to_ne_bytes())
        .filter_map(|[code, registers, _, _, a, b, c, d]| {
            let source = if cfg!(target_endian = "little") { registers >> 4 } else { registers & 15 };
            (code == 0x85 && source == 0).then(|| i32::from_ne_bytes([a, b, c, d]))
        })
        .collect();
    calls.sort_unstable();
    calls.dedup();
    calls
}

impl Bpf for LiveKernel {
    fn ids(&self, object: BpfObject) -> Result<Vec<u32>, HostError> {
        const MOST: usize = 100_000;
        let command = match object {
            BpfObject::Program => Command::ProgramNext,
            BpfObject::Map => Command::MapNext,
            BpfObject::Link => Command::LinkNext,
        };
        let mut ids = Vec::new();
        let mut last = 0;
        while ids.len() < MOST {
            let mut attribute = Words::<2>::new();
            attribute.set_u32(0, last);
            match call(command, &mut attribute) {
                Ok(_) => last = attribute.u32(4),
                Err(error) if error.cause == Cause::Errno(libc::ENOENT) => break,
                Err(error) => return Err(error),
            }
            // Numbers only grow; anything else would walk for ever.
            if ids.last().is_some_and(|before| *before >= last) {
                break;
            }
            ids.push(last);
        }
        Ok(ids)
    }

    fn program(&self, id: u32) -> Result<BpfProgram, HostError> {
        const MOST: u32 = 1 << 20;
        let fd = open(Command::ProgramById, id)?;
        let mut first = Words::<29>::new();
        info(&fd, &mut first)?;
        let (length, map_count) = (first.u32(20).min(MOST) / 8, first.u32(52).min(1024));
        let mut instructions = vec![0_u64; usize::try_from(length).unwrap_or(0)];
        let mut maps = vec![0_u32; usize::try_from(map_count).unwrap_or(0)];
        let mut second = Words::<29>::new();
        second.set_u32(20, length * 8);
        second.set_u64(32, instructions.as_mut_ptr().expose_provenance() as u64);
        second.set_u32(52, map_count);
        second.set_u64(56, maps.as_mut_ptr().expose_provenance() as u64);
        let tag_count = first.u32(180).min(1024);
        let mut function_tags = vec![[0_u8; 8]; usize::try_from(tag_count).unwrap_or(0)];
        second.set_u32(180, tag_count);
        second.set_u64(184, function_tags.as_mut_ptr().expose_provenance() as u64);
        // Asked again without instructions where the kernel refuses them.
        if info(&fd, &mut second).is_err() {
            instructions.clear();
            maps.clear();
            function_tags.clear();
            second = first;
        }
        let mut tag = [0; 8];
        tag.copy_from_slice(&second.u64(8).to_ne_bytes());
        Ok(BpfProgram {
            id: second.u32(4),
            kind: second.u32(0),
            name: second.text(64, 16),
            tag,
            function_tags,
            loaded: second.u64(40),
            uid: second.u32(48),
            calls: calls(&instructions),
            instructions: u32::try_from(instructions.len()).unwrap_or(u32::MAX),
            maps,
        })
    }

    fn map(&self, id: u32) -> Result<BpfMap, HostError> {
        let fd = open(Command::MapById, id)?;
        let mut words = Words::<12>::new();
        info(&fd, &mut words)?;
        Ok(BpfMap { id: words.u32(4), kind: words.u32(0), name: words.text(24, 16) })
    }

    fn link(&self, id: u32) -> Result<BpfLink, HostError> {
        let fd = open(Command::LinkById, id)?;
        let mut words = Words::<8>::new();
        info(&fd, &mut words)?;
        let kind = words.u32(0);
        let (attach, target) = match kind {
            // tracing: attach type, target object, target type; cgroup: group, attach type.
            2 => (Some(words.u32(16)), u64::from(words.u32(20))),
            3 => (Some(words.u32(24)), words.u64(16)),
            // netns, tcx, netkit: number of the target, attach type.
            5 | 11 | 13 => (Some(words.u32(20)), u64::from(words.u32(16))),
            // xdp: interface. netfilter: family and hook.
            6 => (None, u64::from(words.u32(16))),
            10 => (None, u64::from(words.u32(20))),
            _ => (None, 0),
        };
        let mut link = BpfLink {
            id: words.u32(4),
            kind,
            program: words.u32(8),
            attach,
            target,
            name: Default::default(),
        };
        // raw tracepoint: name at 16, length at 24; perf event (kprobe, tracepoint): name at 24, length at 32.
        let at = match kind {
            1 => 16,
            7 => 24,
            _ => return Ok(link),
        };
        let mut name = vec![0_u8; 128];
        let mut again = Words::<8>::new();
        again.set_u64(at, name.as_mut_ptr().expose_provenance() as u64);
        again.set_u32(at + 8, 128);
        if info(&fd, &mut again).is_ok() {
            link.name = name.split(|b| *b == 0).next().unwrap_or_default().into();
        }
        Ok(link)
    }

    fn pinned(&self, path: &[u8]) -> Result<(BpfObject, u32), HostError> {
        let fd = open_pinned(path)?;
        let link = rustix::fs::readlinkat(CWD, format!("/proc/self/fd/{}", fd.as_raw_fd()), Vec::new())
            .map_err(|error| HostError::errno("readlink", path, error))?;
        let object = match link.as_bytes() {
            b"anon_inode:bpf-prog" => BpfObject::Program,
            b"anon_inode:bpf-map" => BpfObject::Map,
            _ => BpfObject::Link,
        };
        // The number is the second field of each kind's information.
        let mut words = Words::<1>::new();
        info(&fd, &mut words)?;
        Ok((object, words.u32(4)))
    }

    fn on_group(&self, path: &[u8], attach: u32) -> Result<Vec<u32>, HostError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .map_err(|error| HostError::errno("open", path, error))?;
        query(u32::try_from(fd.as_raw_fd()).unwrap_or(u32::MAX), attach)
    }

    fn on_interface(&self, index: u32, attach: u32) -> Result<Vec<u32>, HostError> {
        query(index, attach)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_to_helpers_are_told_from_calls_within_the_program() {
        let instruction = |code, registers, constant: i32| {
            let [a, b, c, d] = constant.to_ne_bytes();
            u64::from_ne_bytes([code, registers, 0, 0, a, b, c, d])
        };
        let source_one = if cfg!(target_endian = "little") { 0x10 } else { 1 };
        let code = [
            instruction(0x85, 0, 4000),
            instruction(0x85, source_one, 7),
            instruction(0xb7, 0, 1),
            instruction(0x85, 0, -8),
        ];
        assert_eq!(calls(&code), [-8, 4000]);
    }

    #[test]
    fn this_machines_objects_are_walked_or_refused() {
        let kernel = LiveKernel::default();
        for object in [BpfObject::Program, BpfObject::Map, BpfObject::Link] {
            let Ok(ids) = kernel.ids(object) else { continue };
            assert!(ids.is_sorted());
            for id in ids {
                // One that is gone meanwhile is an error, and no other answer.
                match object {
                    BpfObject::Program => {
                        assert!(kernel.program(id).is_ok_and(|p| p.id == id) || kernel.program(id).is_err())
                    }
                    BpfObject::Map => {
                        assert!(kernel.map(id).is_ok_and(|m| m.id == id) || kernel.map(id).is_err())
                    }
                    BpfObject::Link => {
                        assert!(kernel.link(id).is_ok_and(|l| l.id == id) || kernel.link(id).is_err())
                    }
                }
            }
        }
        assert!(kernel.program(u32::MAX).is_err());
    }
}
