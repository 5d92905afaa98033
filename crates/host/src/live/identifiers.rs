//! The identifiers under which a network namespace knows others.

use super::netlink::{inside, open, open_namespace};
use crate::{HostError, Namespace, Protocol};
use rustix::fd::{AsRawFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

/// `RTM_NEWNSID` and `RTM_GETNSID` (`<linux/rtnetlink.h>`).
const NEWNSID: u16 = 88;
const GETNSID: u16 = 90;
/// `NETNSA_NSID` and `NETNSA_FD` (`<linux/net_namespace.h>`).
const NSID: u16 = 1;
const FD: u16 = 3;

/// Asks for each of them; one that can not be opened or is not known gives `None`.
pub(super) fn identifiers(within: &Namespace, others: &[Namespace]) -> Result<Vec<Option<u32>>, HostError> {
    let files: Vec<Option<OwnedFd>> = others
        .iter()
        .map(|other| match other {
            Namespace::Own => open_namespace(&"/proc/self/ns/net".into()).ok(),
            Namespace::At(path) => open_namespace(path).ok(),
        })
        .collect();
    inside(within, || {
        let Ok(socket) = open(Protocol::ROUTE) else { return vec![None; files.len()] };
        let one =
            |(number, file): (u32, &Option<OwnedFd>)| ask(&socket, number, file.as_ref()?).ok().flatten();
        (1..).zip(&files).map(one).collect()
    })
}

fn ask(socket: &OwnedFd, sequence: u32, file: &OwnedFd) -> Result<Option<u32>, Errno> {
    // `struct nlmsghdr`, `struct rtgenmsg` with its padding, one attribute.
    let mut message = Vec::with_capacity(28);
    message.extend(28_u32.to_ne_bytes());
    message.extend(GETNSID.to_ne_bytes());
    message.extend(1_u16.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(8_u16.to_ne_bytes());
    message.extend(FD.to_ne_bytes());
    message.extend(file.as_raw_fd().to_ne_bytes());
    rustix::net::send(socket, &message, SendFlags::empty())?;
    let mut buffer = [0; 256];
    loop {
        let (_, length) = rustix::net::recv(socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let answer = buffer.get(..length).ok_or(Errno::BADMSG)?;
        let word = |at: usize| {
            answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes)
        };
        if word(8) != Some(sequence) {
            continue;
        }
        let half = |at: usize| {
            answer.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes)
        };
        if half(4) != Some(NEWNSID) {
            return Ok(None);
        }
        // The attribute follows the padded `struct rtgenmsg`; -1 says that there is no identifier.
        let id = (half(22) == Some(NSID)).then(|| word(24)).flatten();
        return Ok(id.filter(|id| *id != u32::MAX));
    }
}
