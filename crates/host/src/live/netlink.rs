//! Netlink sockets of this machine, opened in any network namespace.

use super::kernel::LiveKernel;
use crate::netlink::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP,
    NLMSG_OVERRUN, messages, write,
};
use crate::network::LARGEST_ANSWER;
use crate::{Answer, Cause, HostError, Namespace, Network, Protocol, Request};
use calma_record::Text;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::time::{Duration, Instant};

/// Longest wait for one message.
const WAIT: Duration = Duration::from_secs(2);
/// Longest time for one dump with its retries.
pub(crate) const DUMP: Duration = Duration::from_secs(8);
/// A dump that the kernel calls inconsistent is asked for this often.
const TRIES: u32 = 3;
/// Magic number of the namespace file system (`NSFS_MAGIC` in `<linux/magic.h>`).
const NSFS: i64 = 0x6e73_6673;

impl Network for LiveKernel {
    fn ask(
        &self,
        namespace: &Namespace,
        requests: &[Request],
    ) -> Result<Vec<Result<Answer, HostError>>, HostError> {
        inside(namespace, || requests.iter().map(answer).collect())
    }

    fn identifiers(&self, within: &Namespace, others: &[Namespace]) -> Result<Vec<Option<u32>>, HostError> {
        super::identifiers::identifiers(within, others)
    }

    fn socket_protocol(&self, pid: u32, descriptor: u32) -> Result<Text, HostError> {
        let path = format!("/proc/{pid}/fd/{descriptor}");
        let error = |errno| HostError::errno("getxattr", path.as_str(), errno);
        let target = rustix::fs::readlink(path.as_str(), Vec::new()).map_err(error)?;
        if !target.to_bytes().starts_with(b"socket:[") {
            return Err(error(Errno::NOTSOCK));
        }
        let mut name = vec![0; 64];
        let length = rustix::fs::getxattr(path.as_str(), "system.sockprotoname", name.as_mut_slice())
            .map_err(error)?;
        name.truncate(length);
        while name.last() == Some(&0) {
            name.pop();
        }
        Ok(name.into())
    }
}

/// Runs `work` on a thread of its own inside the namespace. The thread enters and ends there, so that no other thread of
/// calma ever changes its namespace.
pub(crate) fn inside<T: Send>(
    namespace: &Namespace,
    work: impl FnOnce() -> T + Send,
) -> Result<T, HostError> {
    let Namespace::At(path) = namespace else { return Ok(work()) };
    let file = open_namespace(path)?;
    within(&file, path, work)
}

/// The same in a namespace whose file is open already; `path` is its name for whoever reads of a failure.
pub(crate) fn within<T: Send>(
    file: &OwnedFd,
    path: &Text,
    work: impl FnOnce() -> T + Send,
) -> Result<T, HostError> {
    let failed = |cause| HostError::new("setns", path.clone(), cause);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("namespace".to_owned())
            .spawn_scoped(scope, || {
                let net = rustix::thread::LinkNameSpaceType::Network;
                rustix::thread::move_into_link_name_space(file.as_fd(), Some(net))?;
                Ok::<T, Errno>(work())
            })
            .map_err(|error| failed(error.raw_os_error().map_or(Cause::Unsupported, Cause::Errno)))?;
        match thread.join() {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(errno)) => Err(failed(Cause::Errno(errno.raw_os_error()))),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Opens a file of the namespace file system, and nothing else: a FIFO or device at that name is never opened.
pub(crate) fn open_namespace(path: &Text) -> Result<OwnedFd, HostError> {
    let error = |errno| HostError::errno("open", path.clone(), errno);
    let handle = rustix::fs::openat(CWD, path.as_bytes(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(error)?;
    // The field's type differs between architectures.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    let kind = rustix::fs::fstatfs(&handle).map_err(error)?.f_type as i64;
    if kind != NSFS {
        return Err(HostError::new("open", path.clone(), Cause::NotAFile));
    }
    let again = format!("/proc/self/fd/{}", handle.as_raw_fd());
    rustix::fs::openat(CWD, again.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(error)
}

/// A socket that hears the kernel alone.
pub(crate) fn open(protocol: Protocol) -> Result<OwnedFd, Errno> {
    let protocol = std::num::NonZeroU32::new(protocol.0).map(rustix::net::Protocol::from_raw);
    let socket =
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
    // Connected to the kernel (port 0): messages of other processes are refused.
    rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(WAIT))?;
    set_socket_timeout(&socket, Timeout::Send, Some(WAIT))?;
    // More room makes lost messages rare; a smaller buffer still works.
    let _ = set_socket_recv_buffer_size(&socket, 1 << 20);
    Ok(socket)
}

/// Asks once, and again while the kernel says that the table changed meanwhile or messages were lost.
pub(crate) fn answer(request: &Request) -> Result<Answer, HostError> {
    let place = format!("netlink protocol {} message {}", request.protocol.0, request.kind);
    let deadline = Instant::now() + DUMP;
    let mut best: Option<Answer> = None;
    let mut last = Errno::NOBUFS;
    for sequence in 1..=TRIES {
        // A new socket for each try, so that nothing of an earlier dump can be taken for part of this one.
        match open(request.protocol).and_then(|socket| dump(&socket, request, sequence, deadline)) {
            Ok(answer) if !answer.changed => return Ok(answer),
            Ok(answer) => best = Some(answer),
            Err(Errno::NOBUFS) => last = Errno::NOBUFS,
            Err(errno) => {
                last = errno;
                break;
            }
        }
    }
    best.ok_or_else(|| HostError::errno("netlink", place.as_str(), last))
}

/// Gives the kernel one order in this network namespace and waits for its word (NLM_F_ACK).
///
/// # Errors
/// What the kernel answers.
pub(crate) fn order(protocol: Protocol, kind: u16, body: &[u8]) -> Result<(), Errno> {
    let socket = open(protocol)?;
    rustix::net::send(&socket, &write(kind, NLM_F_REQUEST | NLM_F_ACK, 1, body), SendFlags::empty())?;
    let (mut buffer, mut answer) = (vec![0; 16 << 10], Answer::default());
    loop {
        let (_, length) = match rustix::net::recv(&socket, buffer.as_mut_slice(), RecvFlags::TRUNC) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        let received = buffer.get(..length).ok_or(Errno::NOBUFS)?;
        if received.is_empty() || take(received, 1, &mut answer)? {
            return Ok(());
        }
    }
}

/// One dump on an open socket.
pub(crate) fn dump(
    socket: &OwnedFd,
    request: &Request,
    sequence: u32,
    deadline: Instant,
) -> Result<Answer, Errno> {
    let message = write(request.kind, NLM_F_REQUEST | NLM_F_DUMP, sequence, &request.body);
    rustix::net::send(socket, &message, SendFlags::empty())?;
    let mut answer = Answer::default();
    let mut buffer = vec![0; 128 << 10];
    loop {
        if Instant::now() > deadline {
            return Err(Errno::TIMEDOUT);
        }
        let (_, length) = match rustix::net::recv(socket, buffer.as_mut_slice(), RecvFlags::TRUNC) {
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => return Err(Errno::TIMEDOUT),
            other => other?,
        };
        // Longer than the buffer: part of it is lost.
        let received = buffer.get(..length).ok_or(Errno::NOBUFS)?;
        if received.is_empty() || take(received, sequence, &mut answer)? {
            return Ok(answer);
        }
    }
}

/// Takes the messages of one datagram; true if the dump is at its end.
fn take(received: &[u8], sequence: u32, answer: &mut Answer) -> Result<bool, Errno> {
    for message in messages(received) {
        let message = message.map_err(|_| Errno::BADMSG)?;
        if message.sequence != sequence {
            continue;
        }
        answer.changed |= message.flags & NLM_F_DUMP_INTR != 0;
        match message.kind {
            NLMSG_NOOP => {}
            NLMSG_OVERRUN => return Err(Errno::NOBUFS),
            NLMSG_ERROR | NLMSG_DONE => {
                // A dump that ends in an error has told a part; the error is what counts.
                return match message.status().errno {
                    errno if errno > 0 => Err(Errno::from_raw_os_error(errno)),
                    _ => Ok(true),
                };
            }
            _ if answer.messages.len() + message.whole.len().next_multiple_of(4) > LARGEST_ANSWER => {
                answer.cut = true;
                return Ok(true);
            }
            _ => {
                answer.messages.extend(message.whole);
                answer.messages.resize(answer.messages.len().next_multiple_of(4), 0);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_this_namespace_are_dumped_and_a_wrong_file_is_refused() {
        let kernel = LiveKernel::default();
        // RTM_GETLINK with an empty `struct ifinfomsg`.
        let request = Request::dump(Protocol::ROUTE, 18, [0; 16]);
        let answers = kernel.ask(&Namespace::Own, std::slice::from_ref(&request)).unwrap();
        assert!(answers[0].as_ref().unwrap().messages.windows(3).any(|bytes| bytes == b"lo\0"));
        let error = kernel.ask(&Namespace::At("/dev/null".into()), &[]).unwrap_err();
        assert_eq!(error.cause, Cause::NotAFile);
        // A message type that does not exist is an inner error.
        let answers = kernel.ask(&Namespace::Own, &[Request::dump(Protocol::SOCK_DIAG, 999, [])]).unwrap();
        assert!(answers[0].is_err());
    }

    #[test]
    fn a_lying_length_ends_the_walk_and_other_sequences_are_passed_over() {
        let mut answer = Answer::default();
        let mut message = 20_u32.to_ne_bytes().to_vec();
        message.extend([16, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
        assert!(!take(&message, 6, &mut answer).unwrap() && answer.messages.is_empty());
        assert!(!take(&message, 7, &mut answer).unwrap() && answer.messages.len() == 20);
        message[0] = 200;
        assert_eq!(take(&message, 7, &mut answer), Err(Errno::BADMSG));
        message[0] = 3;
        assert_eq!(take(&message, 7, &mut answer), Err(Errno::BADMSG));
    }
}
