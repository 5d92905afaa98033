//! Where a loaded BPF program is attached, so that it can be detached there.

use crate::live::kernel::LiveKernel;
use crate::live::netlink::answer;
use crate::netlink::{attributes, attributes_after, messages};
use crate::{Bpf as _, BpfObject, HostError, Protocol, Request};
use calma_record::step::Attachment;

/// Attach types of control groups (`enum bpf_attach_type`, linux/bpf.h).
const ON_GROUPS: [u32; 23] =
    [0, 1, 2, 3, 6, 8, 9, 10, 11, 12, 13, 14, 15, 18, 19, 20, 21, 22, 29, 30, 31, 32, 34];

/// Kinds of links that can be detached and stay behind as empty shells: of control groups, network namespaces, XDP, tcx and
/// netkit (`enum bpf_link_type`). Their target is 0 then.
const DETACHABLE: [u32; 5] = [3, 5, 6, 11, 13];

/// `enum bpf_attach_type`: XDP, and the two directions of tcx.
pub(crate) const XDP: u32 = 37;
const TCX: [u32; 2] = [46, 47];

/// At most so many folders of a hierarchy are asked.
const MOST: usize = 4000;

/// Everywhere a program is attached or kept, as far as the kernel says, in the order in which it is to be detached: what
/// keeps a link comes last.
pub fn attachments(program: u32) -> Vec<Attachment> {
    let kernel = LiveKernel::default();
    let mut found = Vec::new();
    let mut links = Vec::new();
    for id in kernel.ids(BpfObject::Link).unwrap_or_default() {
        let Ok(link) = kernel.link(id) else { continue };
        if link.program == program {
            links.push(id);
            if !DETACHABLE.contains(&link.kind) || link.target != 0 {
                found.push(Attachment::Link { id, kind: link.kind });
            }
        }
    }
    for folder in folders(b"cgroup2") {
        for attach in ON_GROUPS {
            if kernel.on_group(&folder, attach).is_ok_and(|ids| ids.contains(&program)) {
                found.push(Attachment::Group { path: folder.as_slice().into(), attach });
            }
        }
    }
    for (index, xdp) in interfaces() {
        if xdp == Some(program) {
            found.push(Attachment::Interface { index, attach: XDP });
        }
        for attach in TCX {
            if kernel.on_interface(index, attach).is_ok_and(|ids| ids.contains(&program)) {
                found.push(Attachment::Interface { index, attach });
            }
        }
        found.extend(filters(index, program).into_iter().map(|name| Attachment::Filter { index, name }));
    }
    for folder in folders(b"bpf") {
        for path in files(&folder) {
            let of_it = match kernel.pinned(&path) {
                Ok((BpfObject::Program, id)) => id == program,
                Ok((BpfObject::Link, id)) => links.contains(&id),
                _ => false,
            };
            if of_it {
                found.push(Attachment::Pin { path: path.into() });
            }
        }
    }
    found
}

/// A loaded program's instructions as the kernel shows them, to be kept before it is let go.
///
/// # Errors
/// When it is gone or not for us.
pub fn instructions(program: u32) -> Result<Vec<u8>, HostError> {
    crate::live::bpf::instructions(program)
}

/// The folders of the file systems of a kind, from where they are mounted down.
pub(super) fn folders(kind: &[u8]) -> Vec<Vec<u8>> {
    let text = crate::live::files::read_made_by_kernel(b"/proc/self/mountinfo", 16 << 20);
    let text = text.map(|content| content.bytes).unwrap_or_default();
    let mut todo: Vec<Vec<u8>> = text
        .split(|b| *b == b'\n')
        .filter_map(|line| {
            let dash = line.windows(3).position(|part| part == b" - ")?;
            let its = line.get(dash + 3..)?.split(|b| *b == b' ').next()?;
            (its == kind).then(|| line.split(|b| *b == b' ').nth(4).map(<[u8]>::to_vec))?
        })
        .collect();
    todo.sort();
    todo.dedup();
    let mut found: Vec<Vec<u8>> = Vec::new();
    while let Some(folder) = todo.pop().filter(|_| found.len() < MOST) {
        todo.extend(entries(&folder, rustix::fs::FileType::Directory));
        found.push(folder);
    }
    found
}

fn files(folder: &[u8]) -> Vec<Vec<u8>> {
    entries(folder, rustix::fs::FileType::RegularFile)
}

fn entries(folder: &[u8], kind: rustix::fs::FileType) -> Vec<Vec<u8>> {
    use rustix::fs::{CWD, Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let Ok(open) = rustix::fs::openat(CWD, folder, flags, Mode::empty()) else { return Vec::new() };
    let Ok(listing) = rustix::fs::Dir::new(open) else { return Vec::new() };
    listing
        .flatten()
        .filter(|entry| entry.file_type() == kind && !matches!(entry.file_name().to_bytes(), b"." | b".."))
        .map(|entry| crate::join(folder, entry.file_name().to_bytes()))
        .collect()
}

fn word(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// The messages of an answer, each without its header.
fn bodies(told: &[u8]) -> impl Iterator<Item = &[u8]> {
    messages(told).flatten().map(|message| message.body)
}

/// Interfaces of this network namespace, with the XDP program of each (rtnetlink(7): RTM_GETLINK, IFLA_XDP).
fn interfaces() -> Vec<(u32, Option<u32>)> {
    const GET_LINK: u16 = 18;
    let Ok(told) = answer(&Request::dump(Protocol::ROUTE, GET_LINK, [0; 16])) else { return Vec::new() };
    bodies(&told.messages)
        .filter_map(|message| {
            let index = word(message.get(4..)?)?;
            // IFLA_XDP is 43; in it IFLA_XDP_PROG_ID is 4.
            let xdp = attributes_after(message, 16).find(|(kind, _)| *kind == 43);
            let program = xdp.and_then(|(_, inner)| attributes(inner).find(|(kind, _)| *kind == 4));
            Some((index, program.and_then(|(_, id)| word(id)).filter(|id| *id != 0)))
        })
        .collect()
}

/// The filters of tc(8) on an interface that run a program (RTM_GETTFILTER, TCA_BPF_ID), both ways of clsact.
fn filters(index: u32, program: u32) -> Vec<[u32; 3]> {
    const GET_FILTER: u16 = 46;
    // TC_H_CLSACT with the minor numbers of ingress and egress (linux/pkt_sched.h).
    const PARENTS: [u32; 2] = [0xffff_fff2, 0xffff_fff3];
    let mut found = Vec::new();
    for parent in PARENTS {
        let words = [0, index, 0, parent, 0];
        let body: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_ne_bytes()).collect();
        let Ok(told) = answer(&Request::dump(Protocol::ROUTE, GET_FILTER, body)) else { continue };
        for message in bodies(&told.messages) {
            let at = |offset: usize| message.get(offset..).and_then(word);
            let (Some(handle), Some(parent), Some(info)) = (at(8), at(12), at(16)) else { continue };
            let options = attributes_after(message, 20);
            // TCA_OPTIONS is 2; in it TCA_BPF_ID is 11.
            let its = options
                .filter(|(kind, _)| *kind == 2)
                .flat_map(|(_, inner)| attributes(inner))
                .find_map(|(kind, id)| if kind == 11 { word(id) } else { None });
            if its == Some(program) {
                found.push([parent, handle, info]);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_of_this_namespace_are_told() {
        assert!(interfaces().iter().any(|(index, _)| *index == 1), "loopback is the first one");
        assert!(filters(1, u32::MAX).is_empty());
    }
}
