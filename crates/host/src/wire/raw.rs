//! The socket calls that rustix has no safe form of: packet addresses, options as bytes, messages with control data.

use rustix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use rustix::io::Errno;

/// A message as recvmsg(2) gives it.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// Its length, which may be more than the buffer held (`MSG_TRUNC`).
    pub(super) length: usize,
    /// Where it came from: a socket address as bytes.
    pub(super) from: Vec<u8>,
    /// Control messages.
    pub(super) control: Vec<u8>,
}

fn last() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

fn check(status: libc::c_int) -> Result<(), Errno> {
    if status < 0 { Err(last()) } else { Ok(()) }
}

fn length(bytes: &[u8]) -> libc::socklen_t {
    libc::socklen_t::try_from(bytes.len()).unwrap_or(0)
}

/// A new socket that does not block and is closed on exec (socket(2)).
pub(super) fn socket(domain: i32, kind: i32, protocol: i32) -> Result<OwnedFd, Errno> {
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: socket(2) takes no pointers; a descriptor it returns is new and owned by nobody else.
    unsafe {
        let descriptor = libc::socket(domain, kind, protocol);
        check(descriptor)?;
        Ok(OwnedFd::from_raw_fd(descriptor))
    }
}

/// Sets an option whose value is plain bytes (setsockopt(2)).
pub(super) fn set(socket: &impl AsFd, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: `value` is readable for the length given, for the whole call; no option set through here holds pointers.
    check(unsafe { libc::setsockopt(descriptor, level, name, value.as_ptr().cast(), length(value)) })
}

/// Sets an option whose value is an `int`.
pub(super) fn set_int(socket: &impl AsFd, level: i32, name: i32, value: i32) -> Result<(), Errno> {
    set(socket, level, name, &value.to_ne_bytes())
}

/// Reads an option into `value`; how many bytes of it the kernel wrote (getsockopt(2)).
pub(super) fn get(socket: &impl AsFd, level: i32, name: i32, value: &mut [u8]) -> Result<usize, Errno> {
    let descriptor = socket.as_fd().as_raw_fd();
    let mut size = length(value);
    // SAFETY: `value` is writable for `size` bytes and `size` is a valid socklen_t, both for the whole call.
    check(unsafe { libc::getsockopt(descriptor, level, name, value.as_mut_ptr().cast(), &raw mut size) })?;
    Ok(usize::try_from(size).unwrap_or(0).min(value.len()))
}

/// Attaches a classic filter (socket(7), `SO_ATTACH_FILTER`).
pub(super) fn attach_filter(socket: &impl AsFd, code: &[libc::sock_filter]) -> Result<(), Errno> {
    let mut code = code.to_vec();
    let len = u16::try_from(code.len()).map_err(|_| Errno::INVAL)?;
    let program = libc::sock_fprog { len, filter: code.as_mut_ptr() };
    let size = libc::socklen_t::try_from(size_of::<libc::sock_fprog>()).unwrap_or(0);
    // SAFETY: `program` is a valid sock_fprog that points to `len` instructions, both alive over the call; the kernel
    // copies them and checks every one.
    check(unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size,
        )
    })
}

/// bind(2) to an address given as bytes.
pub(super) fn bind(socket: &impl AsFd, address: &[u8]) -> Result<(), Errno> {
    // SAFETY: `address` is readable for the length given; the kernel checks the length against the family.
    check(unsafe { libc::bind(socket.as_fd().as_raw_fd(), address.as_ptr().cast(), length(address)) })
}

/// connect(2) to an address given as bytes.
pub(super) fn connect(socket: &impl AsFd, address: &[u8]) -> Result<(), Errno> {
    // SAFETY: as for `bind`.
    check(unsafe { libc::connect(socket.as_fd().as_raw_fd(), address.as_ptr().cast(), length(address)) })
}

/// sendto(2), never raising SIGPIPE; to the connected peer where `address` is empty.
pub(super) fn send(socket: &impl AsFd, bytes: &[u8], address: &[u8]) -> Result<usize, Errno> {
    let to = if address.is_empty() { std::ptr::null() } else { address.as_ptr().cast() };
    // SAFETY: `bytes` and `address` are readable for the lengths given, and no address goes with length zero.
    let sent = unsafe {
        libc::sendto(
            socket.as_fd().as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_NOSIGNAL,
            to,
            length(address),
        )
    };
    usize::try_from(sent).map_err(|_| last())
}

/// One message into `buffer`, without blocking (recvmsg(2)).
pub(super) fn receive(socket: &impl AsFd, buffer: &mut [u8], flags: i32) -> Result<Received, Errno> {
    let mut from = [0_u8; 128];
    // Control messages are aligned like a size_t.
    let mut control = [0_usize; 64];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all zero is a valid msghdr: null pointers with lengths of zero.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = from.as_mut_ptr().cast();
    header.msg_namelen = 128;
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    // The field's type differs between C libraries.
    #[allow(clippy::useless_conversion)]
    let room = size_of_val(&control).try_into().unwrap_or(0);
    header.msg_controllen = room;
    // SAFETY: name, buffer and control point to writable memory of the lengths given, all alive over the call, and
    // nothing else refers to it meanwhile.
    let got =
        unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut header, flags | libc::MSG_DONTWAIT) };
    let length = usize::try_from(got).map_err(|_| last())?;
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    let written = (header.msg_controllen as usize).min(size_of_val(&control));
    let bytes: Vec<u8> = control.iter().flat_map(|word| word.to_ne_bytes()).take(written).collect();
    let name = usize::try_from(header.msg_namelen).unwrap_or(0).min(from.len());
    Ok(Received { length, from: from.get(..name).unwrap_or_default().to_vec(), control: bytes })
}
