//! What is changed in the running kernel itself: its settings, its sockets, its BPF programs.

use crate::HostError;
use crate::ground::attachments::XDP;
use crate::live::{bpf, netlink, neutral};
use crate::netlink::Attributes;
use crate::network::Protocol;
use calma_record::step::{Attachment, SocketFound};
use rustix::fd::AsRawFd as _;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

/// Writes a file that the kernel makes, in one write; a link is not followed.
pub(super) fn set(path: &[u8], value: &[u8]) -> Result<(), HostError> {
    let error = |call| move |errno| HostError::errno(call, path, errno);
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(error("open"))?;
    match rustix::io::write(&file, value).map_err(error("write"))? {
        all if all == value.len() => Ok(()),
        _ => Err(error("write")(Errno::IO)),
    }
}

/// `SOCK_DESTROY` of linux/sock_diag.h, with `struct inet_diag_req_v2` of linux/inet_diag.h.
pub(super) fn destroy(socket: &SocketFound) -> Result<(), HostError> {
    const SOCK_DESTROY: u16 = 21;
    let mut body = vec![socket.family, socket.protocol, 0, 0, 0xff, 0xff, 0xff, 0xff];
    body.extend_from_slice(&socket.id);
    netlink::order(Protocol::SOCK_DIAG, SOCK_DESTROY, &body)
        .map_err(|errno| HostError::errno("sock_destroy", "a socket", errno))
}

/// Detaches a program from one place.
pub(super) fn detach(program: u32, from: &Attachment) -> Result<(), HostError> {
    match from {
        Attachment::Link { id, .. } => bpf::detach_link(*id),
        Attachment::Pin { path } => rustix::fs::unlinkat(CWD, path.as_bytes(), AtFlags::empty())
            .map_err(|errno| HostError::errno("unlink", path.as_bytes(), errno)),
        Attachment::Group { path, attach } => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let group = rustix::fs::openat(CWD, path.as_bytes(), flags, Mode::empty())
                .map_err(|errno| HostError::errno("open", path.as_bytes(), errno))?;
            bpf::detach(u32::try_from(group.as_raw_fd()).unwrap_or(u32::MAX), program, *attach)
        }
        Attachment::Interface { index, attach } if *attach == XDP => xdp(program, *index),
        Attachment::Interface { index, attach } => bpf::detach(*index, program, *attach),
        Attachment::Filter { index, name } => filter(*index, *name),
    }
}

/// Takes an XDP program off an interface (RTM_SETLINK with IFLA_XDP), and only if it is still this one
/// (IFLA_XDP_EXPECTED_FD, Linux 5.7).
fn xdp(program: u32, index: u32) -> Result<(), HostError> {
    const SET_LINK: u16 = 19;
    const REPLACE: u32 = 1 << 4;
    let expected = neutral::program(program)?;
    // IFLA_XDP_FD 1, IFLA_XDP_FLAGS 3, IFLA_XDP_EXPECTED_FD 8.
    let inner = Attributes::new().bytes(1, &(-1_i32).to_ne_bytes()).u32(3, REPLACE);
    let inner = inner.bytes(8, &expected.as_raw_fd().to_ne_bytes());
    let mut header = [0; 16];
    if let Some(place) = header.get_mut(4..8) {
        place.copy_from_slice(&index.to_ne_bytes());
    }
    // IFLA_XDP.
    let body = Attributes::after(&header).nest(43, &inner).done();
    match netlink::order(Protocol::ROUTE, SET_LINK, &body) {
        // Another one is there by now.
        Err(Errno::EXIST) => Err(HostError::errno("RTM_SETLINK", "an interface", Errno::NOENT)),
        other => other.map_err(|errno| HostError::errno("RTM_SETLINK", "an interface", errno)),
    }
}

/// Removes a filter of tc(8) (RTM_DELTFILTER with `struct tcmsg`).
fn filter(index: u32, [parent, handle, info]: [u32; 3]) -> Result<(), HostError> {
    const DELETE_FILTER: u16 = 45;
    let words = [0, index, handle, parent, info];
    let header: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    // TCA_KIND 1: without it a handle may be that of another kind of filter.
    let body = Attributes::after(&header).text(1, b"bpf").done();
    netlink::order(Protocol::ROUTE, DELETE_FILTER, &body)
        .map_err(|errno| HostError::errno("RTM_DELTFILTER", "an interface", errno))
}
