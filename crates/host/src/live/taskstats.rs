//! Statistics of tasks by generic netlink: a view on processes of its own (`<linux/taskstats.h>`, `<linux/genetlink.h>`).

use super::netlink;
use super::processes::NOBODY;
use crate::{Cause, HostError, Protocol};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::ops::Range;

const PLACE: &str = "taskstats";
/// `GENL_ID_CTRL`, `CTRL_CMD_GETFAMILY`, `CTRL_ATTR_FAMILY_ID` and `CTRL_ATTR_FAMILY_NAME`.
const CONTROL: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// `TASKSTATS_CMD_GET` and `TASKSTATS_CMD_ATTR_PID`.
const GET: u8 = 1;
const PID: u16 = 1;
/// `NLM_F_REQUEST` and `NLMSG_ERROR` of `<linux/netlink.h>`.
const REQUEST: u16 = 1;
const ERROR: u16 = 2;
/// Headers of netlink and of generic netlink.
const HEADERS: usize = 20;

/// The ids of `range` that the kernel has statistics for, one question each.
pub(super) fn processes(range: Range<u32>) -> Result<Vec<u32>, HostError> {
    let failed = |errno: Errno| HostError::errno("ask", PLACE, errno);
    let socket = netlink::open(Protocol::GENERIC).map_err(failed)?;
    let family = ask(&socket, CONTROL, GET_FAMILY, FAMILY_NAME, b"TASKSTATS\0").map_err(failed)?;
    let family = family_number(&family).ok_or_else(|| HostError::new("ask", PLACE, Cause::Unsupported))?;
    let statistics = |pid: u32| ask(&socket, family, GET, PID, &pid.to_ne_bytes());
    // Whoever can not deny can not confirm.
    match statistics(NOBODY) {
        Err(Errno::SRCH) => {}
        Err(errno) => return Err(failed(errno)),
        Ok(_) => return Err(HostError::new("ask", PLACE, Cause::Unsupported)),
    }
    Ok(range.filter(|pid| statistics(*pid).is_ok()).collect())
}

/// One question with one attribute; what follows both headers of the answer.
fn ask(socket: &OwnedFd, family: u16, command: u8, attribute: u16, value: &[u8]) -> Result<Vec<u8>, Errno> {
    let length = |more: usize| u16::try_from(more + value.len()).map_err(|_| Errno::INVAL);
    let mut message = u32::from(length(HEADERS + 4)?).to_ne_bytes().to_vec();
    message.extend(family.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    // Sequence and port; then the header of generic netlink.
    message.extend([0; 8]);
    message.extend([command, 1, 0, 0]);
    message.extend(length(4)?.to_ne_bytes());
    message.extend(attribute.to_ne_bytes());
    message.extend(value);
    rustix::net::send(socket, &message, SendFlags::empty())?;
    let mut buffer = vec![0; 16 << 10];
    let length = loop {
        match rustix::net::recv(socket, buffer.as_mut_slice(), RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(Errno::TIMEDOUT),
            other => break other?.0,
        }
    };
    let answer = buffer.get(..length).ok_or(Errno::BADMSG)?;
    if answer.get(4..6) == Some(&ERROR.to_ne_bytes()) {
        let status = answer.get(16..20).and_then(|bytes| bytes.first_chunk::<4>()).ok_or(Errno::BADMSG)?;
        return match i32::from_ne_bytes(*status) {
            0 => Ok(Vec::new()),
            status => Err(Errno::from_raw_os_error(status.saturating_neg())),
        };
    }
    answer.get(HEADERS..).map(<[u8]>::to_vec).ok_or(Errno::BADMSG)
}

/// The family's number among the attributes of the answer.
fn family_number(mut attributes: &[u8]) -> Option<u16> {
    loop {
        let (head, value) = attributes.split_first_chunk::<4>()?;
        let [l0, l1, k0, k1] = *head;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        if u16::from_ne_bytes([k0, k1]) == FAMILY_ID {
            return value.first_chunk::<2>().map(|id| u16::from_ne_bytes(*id));
        }
        attributes = attributes.get(length.next_multiple_of(4).max(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_family_is_found_or_not() {
        let attributes = [8, 0, 2, 0, b'T', b'A', 0, 0, 6, 0, 1, 0, 42, 0, 0, 0];
        let expected = cfg!(target_endian = "little").then_some(42);
        assert_eq!(family_number(&attributes), expected);
        for length in 0..12 {
            assert_eq!(family_number(attributes.get(..length).unwrap()), None);
        }
    }
}
