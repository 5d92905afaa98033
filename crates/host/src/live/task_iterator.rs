//! The kernel's own walk over its tasks, through a BPF iterator (Documentation/bpf/bpf_iterators.rst of the kernel).
//!
//! Fourteen instructions write the two numbers of each task into the iterator's file. The program is held by descriptors
//! alone: it is gone with them, a moment later.

use super::bpf::{Command, Words, instruction, made};
use super::btf::Btf;
use crate::{Cause, HostError};
use rustix::fd::{AsRawFd as _, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use std::ops::Range;
use std::sync::OnceLock;

const PLACE: &str = "bpf task iterator";
/// Inode number of the first pid namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const FIRST_NAMESPACE: u64 = 0xefff_fffc;
/// `BPF_PROG_TYPE_TRACING`, `BPF_TRACE_ITER` and the helper `bpf_seq_write` of linux/bpf.h.
const TRACING: u32 = 26;
const ITERATOR: u32 = 28;
const SEQ_WRITE: i32 = 127;
/// The type information of a large kernel has 10 MB.
const MOST_TYPES: u64 = 64 << 20;
/// Tasks at most: four million ids, eight bytes each.
const MOST_TASKS: usize = 32 << 20;

/// What the program needs to know of this kernel: the number of the function it is attached to, and where a task keeps its
/// number and that of its process.
#[derive(Clone, Copy)]
struct Shape {
    function: u32,
    pid: u16,
    process: u16,
}

/// The ids of `range` that the kernel's walk meets as processes.
pub(super) fn processes(range: Range<u32>) -> Result<Vec<u32>, HostError> {
    let own =
        rustix::fs::stat("/proc/self/ns/pid").map_err(|error| HostError::errno("stat", PLACE, error))?;
    if own.st_ino != FIRST_NAMESPACE {
        return Err(HostError::new("read", PLACE, Cause::Unsupported));
    }
    static SHAPE: OnceLock<Option<Shape>> = OnceLock::new();
    let shape = SHAPE.get_or_init(shape).ok_or_else(|| HostError::new("read", PLACE, Cause::Unsupported))?;
    let iterator = iterator(shape)?;
    let mut found = Vec::new();
    for task in read(&iterator)?.chunks_exact(8) {
        let (pid, process) = task.split_at(4);
        let number = |bytes: &[u8]| bytes.first_chunk::<4>().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
        if pid == process && range.contains(&number(pid)) {
            found.push(number(pid));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn shape() -> Option<Shape> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, "/sys/kernel/btf/vmlinux", flags, Mode::empty()).ok()?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(std::fs::File::from(file), MOST_TYPES), &mut bytes)
        .ok()?;
    let btf = Btf::read(&bytes)?;
    let [pid, process] = btf.offsets(b"task_struct", [b"pid", b"tgid"])?;
    Some(Shape { function: btf.function(b"bpf_iter_task")?, pid, process })
}

/// Loads the program, links it and opens the file of one walk.
fn iterator(shape: Shape) -> Result<OwnedFd, HostError> {
    let wide =
        |number: u16| i16::try_from(number).map_err(|_| HostError::new("bpf", PLACE, Cause::Unsupported));
    let program = [
        instruction(0x79, 6, 1, 8, 0),                    // r6 = the task
        instruction(0x15, 6, 0, 10, 0),                   // none, at the end: go to the last two
        instruction(0x61, 2, 6, wide(shape.pid)?, 0),     // r2 = its number
        instruction(0x63, 10, 2, -8, 0),                  // onto the stack
        instruction(0x61, 2, 6, wide(shape.process)?, 0), // r2 = the number of its process
        instruction(0x63, 10, 2, -4, 0),                  // behind it
        instruction(0x79, 1, 1, 0, 0),                    // r1 = what the walk knows of itself
        instruction(0x79, 1, 1, 0, 0),                    // r1 = its file
        instruction(0xbf, 2, 10, 0, 0),                   // r2 = the stack
        instruction(0x07, 2, 0, 0, -8),                   // r2 = the two numbers
        instruction(0xb7, 3, 0, 0, 8),                    // r3 = their length
        instruction(0x85, 0, 0, 0, SEQ_WRITE),            // written
        instruction(0xb7, 0, 0, 0, 0),                    // r0 = 0: go on
        instruction(0x95, 0, 0, 0, 0),                    // end
    ];
    // `bpf_seq_write` may be called by programs under a licence compatible with the GPL, which calma's is.
    let licence = c"Dual MIT/GPL";
    let mut load = Words::<16>::new();
    load.set_u32(0, TRACING);
    load.set_u32(4, u32::try_from(program.len()).unwrap_or(0));
    load.set_u64(8, program.as_ptr().expose_provenance() as u64);
    load.set_u64(16, licence.as_ptr().expose_provenance() as u64);
    load.set_u64(48, u64::from_ne_bytes(*b"calma_ta"));
    load.set_u64(56, u64::from_ne_bytes(*b"sks\0\0\0\0\0"));
    load.set_u32(68, ITERATOR);
    load.set_u32(108, shape.function);
    let program = made(Command::Load, &mut load)?;
    let mut link = Words::<8>::new();
    link.set_u32(0, number(&program));
    link.set_u32(8, ITERATOR);
    let link = made(Command::MakeLink, &mut link)?;
    let mut iterator = Words::<2>::new();
    iterator.set_u32(0, number(&link));
    made(Command::MakeIterator, &mut iterator)
}

fn number(fd: &OwnedFd) -> u32 {
    u32::try_from(fd.as_raw_fd()).unwrap_or(u32::MAX)
}

fn read(iterator: &OwnedFd) -> Result<Vec<u8>, HostError> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    while all.len() < MOST_TASKS {
        match rustix::io::read(iterator, buffer.as_mut_slice()) {
            Ok(0) => break,
            Ok(length) => all.extend(buffer.get(..length).unwrap_or_default()),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(HostError::errno("read", PLACE, error)),
        }
    }
    Ok(all)
}
