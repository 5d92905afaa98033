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
        ["old-kernel", last, command @ ..] => old_kernel(last.parse().unwrap(), command),
        ["bpf", pin] => bpf(pin),
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

/// Opens many TCP listeners on loopback addresses.
fn sockets(number: usize) {
    let limit = rustix::process::Rlimit { current: Some(65_536), maximum: Some(65_536) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
    let listeners: Vec<_> = (0..number)
        .map(|n| {
            std::net::TcpListener::bind((
                std::net::Ipv4Addr::new(127, 1, (n / 250) as u8, 1),
                20_000 + (n % 250) as u16,
            ))
        })
        .collect();
    println!("started {}", listeners.iter().filter(|listener| listener.is_ok()).count());
    let _ = std::io::stdout().flush();
    std::thread::sleep(Duration::from_secs(300));
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

/// Loads a tracing program that does nothing, attaches it to system call entry, pins the link, and leaves it there.
/// Only for the guest: BPF is machine-wide.
fn bpf(pin: &str) {
    assert!(std::fs::read_to_string("/proc/cmdline").unwrap().contains("calma.guest"), "only in the guest");
    let instructions: [u64; 2] = [0x0000_0000_0000_00b7, 0x0000_0000_0000_0095];
    let license = c"GPL";
    let (mut load, mut open, mut keep) = ([0_u64; 16], [0_u64; 16], [0_u64; 16]);
    load[0] = 17 | (2 << 32);
    load[1] = instructions.as_ptr() as u64;
    load[2] = license.as_ptr() as u64;
    let program = call_bpf(5, &load);
    let name = c"sys_enter";
    open[0] = name.as_ptr() as u64;
    open[1] = program as u64;
    let link = call_bpf(17, &open);
    let path = std::ffi::CString::new(pin).unwrap();
    keep[0] = path.as_ptr() as u64;
    keep[1] = link as u64;
    call_bpf(6, &keep);
}

fn call_bpf(command: i32, attributes: &[u64; 16]) -> i64 {
    // SAFETY: the attribute block is valid for reads of its whole size, and what it points at outlives the call.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_ptr(), size_of_val(attributes)) };
    assert!(result >= 0, "bpf({command}): {}", std::io::Error::last_os_error());
    result
}
