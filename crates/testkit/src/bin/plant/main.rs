//! A harmless program that plays what tests look for: it sleeps, holds things, and ends by itself after two minutes.
//!
//! Copied into a victim under the name that a test wants. Without a known subcommand it only sleeps. What it can act out
//! is decided by its arguments, never by its name. Not part of the product.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test helper: it fails loudly"
)]

mod alone;
mod kernel;
mod strain;

use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

fn main() {
    let args: Vec<String> =
        std::env::args_os().skip(1).map(|arg| String::from_utf8_lossy(arg.as_bytes()).into_owned()).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["memfd", name, argv0] => memfd(name, argv0),
        ["titled", comm, argv0] => titled(comm, argv0),
        ["packet", kind] => packet(kind),
        ["listen", port] => listen(port),
        ["storm", milliseconds] => storm(milliseconds.parse().unwrap()),
        ["children", number] => descendants(number.parse().unwrap()),
        ["sockets", number] => sockets(number.parse().unwrap()),
        ["some-sockets", net, number] => some_sockets(net.parse().unwrap(), number.parse().unwrap()),
        ["old-kernel", last, command @ ..] => old_kernel(last.parse().unwrap(), command),
        ["bpf", event, pin] => kernel::on_event(event, pin),
        ["bpf-interface", interface, pin] => kernel::on_interface(interface, pin),
        ["bpf-group", group] => kernel::on_group(group),
        ["measure", to, command @ ..] => strain::measure(to, command),
        ["files", kind, folder] => strain::files(kind, folder),
        ["fuse", kind, folder] => strain::fuse(kind, folder),
        ["hide", pid, command @ ..] => hide(pid, command),
        ["own-mounts", folder] => alone::own_mounts(folder),
        ["own-network", port] => alone::own_network(port),
        ["ring", entries] => alone::ring(entries.parse().unwrap()),
        ["code", kind] => alone::code(kind),
        ["listen-vsock", port] => alone::listen_to_hypervisor(port.parse().unwrap()),
        ["listen-to-all", interface] => alone::listen_to_all(interface),
        ["wait", ..] | [] => sleep(),
        _ => sleep(),
    }
}

/// Long enough for any test, short enough that nothing is left.
fn sleep() {
    std::thread::sleep(Duration::from_secs(120));
}

/// Runs this program again from memory.
fn memfd(name: &str, argv0: &str) {
    let flags = rustix::fs::MemfdFlags::empty();
    let fd = rustix::fs::memfd_create(name, flags).unwrap();
    let mut file = std::fs::File::from(fd);
    file.write_all(&std::fs::read("/proc/self/exe").unwrap()).unwrap();
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    panic!("{}", Command::new(path).arg0(argv0).arg("wait").exec());
}

/// Sleeps under another name; a second call of itself sets what `ps` shows.
fn titled(comm: &str, argv0: &str) {
    if std::env::args().next().as_deref() != Some(argv0) {
        panic!("{}", Command::new("/proc/self/exe").arg0(argv0).args(["titled", comm, argv0]).exec());
    }
    rustix::thread::set_name(&std::ffi::CString::new(comm).unwrap()).unwrap();
    sleep();
}

/// Holds a packet socket with a classic filter that looks for one UDP port or for a magic word.
fn packet(kind: &str) {
    use rustix::net::{AddressFamily, SocketType, socket};
    let (kind, protocol) = match kind {
        "raw" => (SocketType::RAW, libc::ETH_P_ALL),
        "ip" => (SocketType::RAW, libc::ETH_P_IP),
        _ => (SocketType::DGRAM, libc::ETH_P_IP),
    };
    let protocol = std::num::NonZeroU32::new(u32::from((protocol as u16).to_be())).unwrap();
    let protocol = Some(rustix::net::Protocol::from_raw(protocol));
    let socket = socket(AddressFamily::PACKET, kind, protocol).unwrap();
    // A classic shape: IPv4, UDP, a magic word at the start of the payload; everything else is dropped.
    let mut filter = [
        stmt(0x28, 12),
        jump(0x15, 0x0800, 0, 5),
        stmt(0x30, 23),
        jump(0x15, 17, 0, 3),
        stmt(0x28, 42),
        jump(0x15, 0x7255, 0, 1),
        stmt(0x06, 0xffff),
        stmt(0x06, 0),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: `program` points at `filter`, both of which outlive the call, and its size is passed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as u32,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    sleep();
}

fn stmt(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf: 0, k }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

/// Listens on a TCP port and accepts nothing.
fn listen(port: &str) {
    let _listener = std::net::TcpListener::bind(format!("0.0.0.0:{port}")).unwrap();
    sleep();
}

/// Starts processes that end at once, as fast as it can.
fn storm(milliseconds: u64) {
    let until = Instant::now() + Duration::from_millis(milliseconds);
    let mut number = 0_u64;
    while Instant::now() < until {
        // SAFETY: the child only calls _exit; the parent waits for it.
        unsafe {
            let pid = libc::fork();
            if pid == 0 {
                libc::_exit(0);
            }
            libc::waitpid(pid, std::ptr::null_mut(), 0);
        }
        number += 1;
    }
    println!("{number}");
}

/// Starts many sleeping children that end with it.
fn descendants(number: usize) {
    for _ in 0..number {
        // SAFETY: the child makes two system calls and sleeps; it ends with its parent or after two minutes.
        unsafe {
            if libc::fork() == 0 {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::sleep(300);
                libc::_exit(0);
            }
        }
    }
    println!("started");
    let _ = std::io::stdout().flush();
    std::thread::sleep(Duration::from_secs(300));
}

/// Opens many TCP listeners on loopback addresses, in as many processes as the limit of open files asks for.
fn sockets(number: usize) {
    const EACH: usize = 800;
    let mut children: Vec<_> = (0..number.div_ceil(EACH))
        .map(|net| {
            let count = EACH.min(number - net * EACH).to_string();
            Command::new("/proc/self/exe")
                .args(["some-sockets", &(net + 1).to_string(), &count])
                .spawn()
                .unwrap()
        })
        .collect();
    children.iter_mut().for_each(|child| drop(child.wait()));
}

fn some_sockets(net: u8, number: usize) {
    // SAFETY: the call takes numbers alone. The listeners end with the process that started them.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let address =
        |n: usize| (std::net::Ipv4Addr::new(127, net, (n / 250) as u8, 1), 20_000 + (n % 250) as u16);
    let listeners: Vec<_> = (0..number).map(|n| std::net::TcpListener::bind(address(n)).unwrap()).collect();
    std::thread::sleep(Duration::from_secs(300));
    drop(listeners);
}

/// Runs a command in a world where every system call with a number above `last` does not exist.
fn old_kernel(last: i64, command: &[&str]) {
    use seccompiler::{SeccompAction, SeccompFilter};
    let rules = (last + 1..=600).map(|number| (number, Vec::new())).collect();
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    )
    .unwrap();
    let program: seccompiler::BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
    panic!("{}", Command::new(command[0]).args(&command[1..]).exec());
}

/// Runs a command to which listings of folders leave out one name, as a kernel that hides a process would answer it.
///
/// Every `getdents64` of the command and what it starts is answered by this process (seccomp_unotify(2)).
fn hide(name: &str, command: &[&str]) {
    let (mut theirs, mine) = std::os::unix::net::UnixStream::pair().unwrap();
    // SAFETY: this process has one thread, so that the child may do anything.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let listener = listen_to_listings();
        (&theirs).write_all(&listener.to_ne_bytes()).unwrap();
        std::io::Read::read_exact(&mut theirs, &mut [0]).unwrap();
        panic!("{}", Command::new(command[0]).args(&command[1..]).exec());
    }
    let mut number = [0; 4];
    std::io::Read::read_exact(&mut &mine, &mut number).unwrap();
    let child = rustix::process::Pid::from_raw(pid).unwrap();
    let handle = rustix::process::pidfd_open(child, rustix::process::PidfdFlags::empty()).unwrap();
    let flags = rustix::process::PidfdGetfdFlags::empty();
    let listener = rustix::process::pidfd_getfd(handle, i32::from_ne_bytes(number), flags).unwrap();
    (&mine).write_all(&[1]).unwrap();
    let name = name.to_owned();
    std::thread::spawn(move || while answer(listener.as_raw_fd(), name.as_bytes()) {});
    let mut status = 0;
    // SAFETY: `status` is valid for the write.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    std::process::exit(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 100 });
}

/// Puts the filter in place: `getdents64` asks the listener, everything else goes on.
fn listen_to_listings() -> i32 {
    const NOTIFY: u32 = 0x7fc0_0000;
    const ALLOW: u32 = 0x7fff_0000;
    const NEW_LISTENER: libc::c_ulong = 1 << 3;
    let mut filter =
        [stmt(0x20, 0), jump(0x15, libc::SYS_getdents64 as u32, 0, 1), stmt(0x06, NOTIFY), stmt(0x06, ALLOW)];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: `program` points at `filter`; both outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, 1, NEW_LISTENER, &raw const program) };
    assert!(result >= 0, "seccomp: {}", std::io::Error::last_os_error());
    result as i32
}

/// Answers one listing; false when nobody is left to ask.
fn answer(listener: i32, hidden: &[u8]) -> bool {
    const RECEIVE: libc::c_ulong = 0xc050_2100;
    const SEND: libc::c_ulong = 0xc018_2101;
    // struct seccomp_notif (80 bytes): id, pid, flags, data {nr, arch, ip, args[6]}.
    let mut asked = [0_u64; 10];
    // SAFETY: the buffer has the size that the request number names.
    if unsafe { libc::ioctl(listener, RECEIVE as _, asked.as_mut_ptr()) } != 0 {
        return std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR);
    }
    let (id, pid, fd, to, size) = (asked[0], asked[1] as u32 as i32, asked[4], asked[5], asked[6]);
    let result = listing(pid, fd as i32, to, (size as usize).min(1 << 20), hidden);
    // struct seccomp_notif_resp (24 bytes): id, value, error and flags.
    let (value, error) = result.map_or_else(|e| (0, -e), |length| (length as u64, 0));
    let reply = [id, value, u64::from(error as u32)];
    // SAFETY: the buffer has the size that the request number names.
    unsafe { libc::ioctl(listener, SEND as _, reply.as_ptr()) };
    true
}

/// Reads the folder in the place of the asking thread and writes what is not hidden into its memory.
fn listing(pid: i32, fd: i32, to: u64, size: usize, hidden: &[u8]) -> Result<usize, i32> {
    let errno = || std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    let group = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(|_| libc::ESRCH)?;
    let group =
        group.lines().find_map(|line| line.strip_prefix("Tgid:")).and_then(|text| text.trim().parse().ok());
    let group = rustix::process::Pid::from_raw(group.unwrap_or(pid)).ok_or(libc::ESRCH)?;
    let handle =
        rustix::process::pidfd_open(group, rustix::process::PidfdFlags::empty()).map_err(|_| libc::ESRCH)?;
    let flags = rustix::process::PidfdGetfdFlags::empty();
    let folder = rustix::process::pidfd_getfd(handle, fd, flags).map_err(|_| libc::EBADF)?;
    loop {
        let mut buffer = vec![0_u8; size];
        // SAFETY: the buffer is valid for `size` bytes.
        let read = unsafe {
            libc::syscall(libc::SYS_getdents64, folder.as_raw_fd(), buffer.as_mut_ptr(), buffer.len())
        };
        if read <= 0 {
            return if read == 0 { Ok(0) } else { Err(errno()) };
        }
        let (mut kept, mut at) = (Vec::new(), 0);
        while at < read as usize {
            let length = usize::from(u16::from_ne_bytes([buffer[at + 16], buffer[at + 17]]));
            let entry = &buffer[at..at + length];
            let name = entry[19..].split(|byte| *byte == 0).next().unwrap_or_default();
            if name != hidden {
                kept.extend_from_slice(entry);
            }
            at += length;
        }
        if kept.is_empty() {
            continue;
        }
        let local = libc::iovec { iov_base: kept.as_mut_ptr().cast(), iov_len: kept.len() };
        let remote = libc::iovec { iov_base: to as usize as *mut libc::c_void, iov_len: kept.len() };
        // SAFETY: `local` names `kept`; the remote side is checked by the kernel, in the asking process alone.
        let written = unsafe { libc::process_vm_writev(pid, &raw const local, 1, &raw const remote, 1, 0) };
        return if written == kept.len() as isize { Ok(kept.len()) } else { Err(libc::EFAULT) };
    }
}
