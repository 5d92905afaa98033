//! Attached BPF programs put out of action: in the place of each stands one that lets everything pass.
//!
//! The place, its order among others and the link that holds it stay as they are, so that the program can be put back
//! exactly. The program itself lives as long as its descriptor is held.

use super::bpf::{Command, Words, call, instruction, made, open};
use crate::HostError;
use rustix::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

/// `BPF_PROG_TYPE_SCHED_CLS`, `BPF_PROG_TYPE_XDP`, `BPF_XDP`, `BPF_F_XDP_HAS_FRAGS` and `BPF_F_REPLACE` of linux/bpf.h.
const CLASSIFIER: u32 = 3;
const XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const FRAGMENTS: u32 = 1 << 5;
const REPLACE: u32 = 1 << 2;
/// Most programs of one place (`BPF_MPROG_MAX`).
const MOST: usize = 64;

/// What a program that lets everything pass answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// `TCX_NEXT`, `NETKIT_NEXT`, `TC_ACT_UNSPEC`: the next one decides.
    Next,
    /// No match, of a classifier whose actions stand beside it.
    NoMatch,
    /// `XDP_PASS`.
    Xdp,
}

/// Loads a program that lets everything pass.
pub(crate) fn load(pass: Pass) -> Result<OwnedFd, HostError> {
    let answer = match pass {
        Pass::Next => -1,
        Pass::NoMatch => 0,
        Pass::Xdp => 2,
    };
    // r0 = answer; end.
    let program = [instruction(0xb7, 0, 0, 0, answer), instruction(0x95, 0, 0, 0, 0)];
    let licence = c"Dual MIT/GPL";
    let try_with = |flags: u32, attach: u32| {
        let mut load = Words::<16>::new();
        load.set_u32(0, if pass == Pass::Xdp { XDP } else { CLASSIFIER });
        load.set_u32(4, u32::try_from(program.len()).unwrap_or(0));
        load.set_u64(8, program.as_ptr().expose_provenance() as u64);
        load.set_u64(16, licence.as_ptr().expose_provenance() as u64);
        load.set_u32(44, flags);
        load.set_u64(48, u64::from_ne_bytes(*b"calma_ne"));
        load.set_u64(56, u64::from_ne_bytes(*b"utral\0\0\0"));
        load.set_u32(68, attach);
        made(Command::Load, &mut load)
    };
    match pass {
        // Frames of several pieces: Linux 5.18. The kind of attachment: 5.9.
        Pass::Xdp => {
            try_with(FRAGMENTS, ATTACH_XDP).or_else(|_| try_with(0, ATTACH_XDP)).or_else(|_| try_with(0, 0))
        }
        _ => try_with(0, 0),
    }
}

/// A descriptor of the program with this number.
pub(crate) fn program(id: u32) -> Result<OwnedFd, HostError> {
    open(Command::ProgramById, id)
}

/// The numbers of the programs at a place of an interface of this thread's network namespace in their order, each with
/// that of the link that holds it, 0 for none.
pub(crate) fn attached(index: u32, attach: u32) -> Result<Vec<(u32, u32)>, HostError> {
    let (mut programs, mut links) = ([0_u32; MOST], [0_u32; MOST]);
    // Longer than today's `union bpf_attr`: the kernel writes behind what it is told (see `bpf::query`).
    let mut query = Words::<32>::new();
    query.set_u32(0, index);
    query.set_u32(4, attach);
    query.set_u64(16, programs.as_mut_ptr().expose_provenance() as u64);
    query.set_u32(24, u32::try_from(MOST).unwrap_or(0));
    query.set_u64(40, links.as_mut_ptr().expose_provenance() as u64);
    call(Command::Query, &mut query)?;
    let count = usize::try_from(query.u32(24)).unwrap_or(0);
    Ok(programs.into_iter().zip(links).take(count).collect())
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    u32::try_from(fd.as_raw_fd()).unwrap_or(u32::MAX)
}

/// Puts one program in the place of another, which no link holds, at an interface of this thread's network namespace.
pub(crate) fn replace(
    index: u32,
    attach: u32,
    old: BorrowedFd<'_>,
    new: BorrowedFd<'_>,
) -> Result<(), HostError> {
    let mut words = Words::<32>::new();
    words.set_u32(0, index);
    words.set_u32(4, number(new));
    words.set_u32(8, attach);
    words.set_u32(12, REPLACE);
    words.set_u32(16, number(old));
    call(Command::Attach, &mut words).map(drop)
}

/// Puts one program in the place of another that the link with this number holds.
pub(crate) fn update(link: u32, old: BorrowedFd<'_>, new: BorrowedFd<'_>) -> Result<(), HostError> {
    let link = open(Command::LinkById, link)?;
    let mut words = Words::<4>::new();
    words.set_u32(0, number(link.as_fd()));
    words.set_u32(4, number(new));
    words.set_u32(8, REPLACE);
    words.set_u32(12, number(old));
    call(Command::UpdateLink, &mut words).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_let_pass_are_loaded_where_calma_may() {
        for pass in [Pass::Next, Pass::NoMatch, Pass::Xdp] {
            match load(pass) {
                Ok(_) => {}
                Err(error) => assert!(error.is_denied() || error.is_unsupported(), "{error}"),
            }
        }
    }
}
