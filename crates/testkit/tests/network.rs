//! Sockets and network namespaces of the running kernel, with `ss` as the judge, in namespaces of the test's own.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that acts on namespaces of its own"
)]

use calma_collect::{ALL, Context, Item, Options, gather};
use calma_host::Live;
use calma_record::kinds::{Interface, NetworkNamespace, Socket};
use calma_record::{Fact, Kind};
use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const INSIDE: &str = "CALMA_TEST_INSIDE";

fn namespace(kind: &str) -> String {
    std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().to_string_lossy().into_owned()
}

/// Runs this test program's `name` again in its own pid, mount and network namespaces. True for the one inside.
fn inside(name: &str) -> bool {
    if let Ok(outer) = std::env::var(INSIDE) {
        let outer: Vec<&str> = outer.split(' ').collect();
        for (kind, outer) in ["net", "pid", "mnt"].into_iter().zip(outer) {
            assert_ne!(namespace(kind), outer, "not in a {kind} namespace of its own: nothing was done");
        }
        return true;
    }
    if std::env::var_os("CALMA_NO_ROOT").is_some() {
        eprintln!("skipped: needs root (CALMA_NO_ROOT is set)");
        return false;
    }
    let outer = ["net", "pid", "mnt"].map(namespace).join(" ");
    let status = Command::new("unshare")
        .args(["-n", "-p", "-f", "--mount-proc", "-m", "--kill-child"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, outer)
        .status()
        .expect("unshare");
    assert!(status.success(), "{name} failed inside (root is needed)");
    false
}

fn see<K: Kind + Clone>(collector: &str) -> (Vec<K>, Duration) {
    let context = Context::new(Arc::new(Live::new()), Options::default());
    let collector = ALL.iter().find(|c| c.card.name == collector).unwrap();
    let start = Instant::now();
    let items = gather(collector, &context);
    let took = start.elapsed();
    let mut rows = Vec::new();
    for item in items {
        match item {
            Item::Fact(_, fact) => rows.extend(K::of(&Fact::clone(&fact)).cloned()),
            Item::Gap(gap) => println!("gap: {gap:?}"),
            _ => {}
        }
    }
    (rows, took)
}

/// Inode numbers as `ss` prints them.
fn judge(arguments: &str) -> BTreeSet<u64> {
    let output =
        Command::new("ss").args(["-H", "-a", "-n", "-e"]).args(arguments.split(' ')).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter_map(|line| {
            // Unix sockets have their inode in the fifth and sixth column.
            if arguments.contains('x') {
                return line.split_whitespace().nth(5)?.parse().ok();
            }
            line.split("ino:").nth(1)?.split_whitespace().next()?.parse().ok()
        })
        .filter(|inode| *inode != 0)
        .collect()
}

fn socket(domain: i32, kind: i32, protocol: i32) -> OwnedFd {
    // SAFETY: socket takes no pointers, and the new descriptor is owned by nobody else.
    unsafe {
        let descriptor = libc::socket(domain, kind, protocol);
        assert!(descriptor >= 0, "{}", std::io::Error::last_os_error());
        OwnedFd::from_raw_fd(descriptor)
    }
}

/// A packet socket with a filter that passes nothing.
fn packet_socket() -> OwnedFd {
    let socket = socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from(0x0300_u16));
    let mut code = [
        libc::sock_filter { code: 0x28, jt: 0, jf: 0, k: 12 },
        libc::sock_filter { code: 0x15, jt: 0, jf: 1, k: 0x7255 },
        libc::sock_filter { code: 6, jt: 0, jf: 0, k: 0 },
        libc::sock_filter { code: 6, jt: 0, jf: 0, k: 0 },
    ];
    let program = libc::sock_fprog { len: 4, filter: code.as_mut_ptr() };
    // SAFETY: the option's value is a valid `sock_fprog` of that length, alive over the call.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            std::ptr::from_ref(&program).cast(),
            size_of::<libc::sock_fprog>() as u32,
        )
    };
    assert_eq!(status, 0, "{}", std::io::Error::last_os_error());
    socket
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

#[test]
fn sockets_are_those_that_ss_shows() {
    if !inside("sockets_are_those_that_ss_shows") {
        return;
    }
    ip("link set lo up");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listener6 = std::net::TcpListener::bind("[::]:0").unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let served = listener.accept().unwrap();
    let datagram = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let pair = std::os::unix::net::UnixStream::pair().unwrap();
    let raw = socket(libc::AF_INET, libc::SOCK_RAW, 1);
    let packet = packet_socket();

    let (rows, took) = see::<Socket>("sockets");
    println!("{} sockets in {took:?}", rows.len());
    for (arguments, family, protocol) in [
        ("-t4", "inet", "tcp"),
        ("-t6", "inet6", "tcp"),
        ("-u4", "inet", "udp"),
        ("-x", "unix", ""),
        ("-0", "packet", ""),
    ] {
        let ours: BTreeSet<u64> = rows
            .iter()
            .filter(|row| {
                row.family == family && row.inode != 0 && (protocol.is_empty() || row.protocol == protocol)
            })
            .map(|row| row.inode)
            .collect();
        assert!(!ours.is_empty(), "{arguments}");
        assert_eq!(ours, judge(arguments), "{arguments}");
    }
    let own = std::process::id();
    assert!(rows.iter().all(|row| row.missing.is_empty()), "views differ where nobody hides");
    let listening =
        rows.iter().find(|row| row.local_port == u32::from(listener.local_addr().unwrap().port()));
    let listening = listening.unwrap();
    assert_eq!((listening.state.as_str(), listening.pids.as_slice()), ("listen", [own].as_slice()));
    assert_eq!(listening.views, ["sock_diag", "proc"]);
    assert!(listening.program.is_some() && listening.holders_known);
    // Without raw_diag in the kernel `ss` can not judge raw sockets.
    assert!(rows.iter().any(|row| row.protocol == "icmp" && row.pids == [own]));
    let packets: Vec<_> = rows.iter().filter(|row| row.family == "packet").collect();
    assert_eq!((packets[0].filter_length, packets[0].pids.as_slice()), (4, [own].as_slice()));
    assert!(packets[0].filter.contains("jeq #0x7255"), "{}", packets[0].filter);
    drop((listener6, client, served, datagram, pair, raw, packet));
}

/// A listener for the hypervisor (vsock(7)): with its port where the kernel lists them, else by who holds it, and a gap.
#[test]
fn a_socket_to_the_hypervisor_is_seen() {
    if !inside("a_socket_to_the_hypervisor_is_seen") {
        return;
    }
    // SAFETY: socket takes no pointers.
    if unsafe { libc::socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0) } < 0 {
        eprintln!("skipped: this kernel has no vsock ({})", std::io::Error::last_os_error());
        return;
    }
    let listener = socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0);
    let own = std::process::id();
    let (rows, _) = see::<Socket>("sockets");
    let rows: Vec<_> = rows.iter().filter(|row| row.family == "vsock" && row.pids.contains(&own)).collect();
    println!("{rows:?}");
    assert!(!rows.is_empty());
    assert!(rows.iter().all(|row| row.program.is_some()));
    drop(listener);
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn other_namespaces_are_found_by_process_and_by_mount() {
    if !inside("other_namespaces_are_found_by_process_and_by_mount") {
        return;
    }
    std::fs::create_dir_all("/tmp/calma-test-netns").unwrap();
    for command in ["-t tmpfs none /tmp/calma-test-netns", "-t tmpfs none /run"] {
        assert!(Command::new("mount").args(command.split(' ')).status().unwrap().success());
    }
    ip("netns add hidden");
    // A shell's listener would need a program; this test's own copy of the listener test is one.
    let child = Command::new("ip")
        .args(["netns", "exec", "hidden"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "listens_for_the_other_test", "--nocapture", "--ignored"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _child = Ended(child);
    std::thread::sleep(Duration::from_millis(400));
    ip("netns add empty");
    let (rows, took) = see::<Socket>("sockets");
    println!("{} sockets in {took:?}", rows.len());
    let found =
        rows.iter().find(|row| row.local_port == 45_454).expect("the listener in the other namespace");
    assert_eq!((found.state.as_str(), found.first_namespace), ("listen", false));
    assert_eq!(found.pids.len(), 1);
    let (rows, _) = see::<NetworkNamespace>("network");
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows.iter().all(|row| row.entered));
    assert!(rows.iter().any(|row| row.found == ["mount"] && row.mounts.len() == 1), "{rows:?}");
    let (rows, _) = see::<Interface>("network");
    assert_eq!(rows.iter().filter(|row| row.name == "lo").count(), 3);
}

#[test]
#[ignore = "a part of other_namespaces_are_found_by_process_and_by_mount"]
fn listens_for_the_other_test() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let _listener = std::net::TcpListener::bind("0.0.0.0:45454").unwrap();
    std::thread::sleep(Duration::from_secs(5));
}

#[test]
fn five_thousand_sockets_take_less_than_a_second() {
    if !inside("five_thousand_sockets_take_less_than_a_second") {
        return;
    }
    ip("link set lo up");
    // SAFETY: the limit is a valid `rlimit`, alive over the call.
    unsafe {
        let limit = libc::rlimit { rlim_cur: 20_000, rlim_max: 20_000 };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut kept = Vec::new();
    for _ in 0..2_500 {
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        kept.push((client, listener.accept().unwrap().0));
    }
    let (rows, took) = see::<Socket>("sockets");
    println!("{} sockets in {took:?}", rows.len());
    assert!(rows.len() >= 5_001);
    assert!(rows.iter().all(|row| row.missing.is_empty()));
    assert!(took < Duration::from_secs(if cfg!(debug_assertions) { 15 } else { 1 }), "{took:?}");
}

#[test]
fn interfaces_are_described_as_they_are() {
    if !inside("interfaces_are_described_as_they_are") {
        return;
    }
    for command in [
        "link set lo up",
        "link add wire0 type veth peer name port0",
        "link add bridge0 type bridge",
        "addr add 192.0.2.1/24 dev wire0",
        "link set wire0 up promisc on",
        "link set port0 up master bridge0",
        "link add tap0 type veth peer name tap1",
    ] {
        ip(command);
    }
    let (rows, _) = see::<Interface>("network");
    let named = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    let wire = named("wire0");
    assert!(wire.promiscuous && wire.up && wire.promiscuity == 1 && wire.uppers.is_empty(), "{wire:?}");
    assert!(wire.addresses.contains(&"192.0.2.1/24".to_owned()), "{wire:?}");
    let port = named("port0");
    assert!(!port.promiscuous && port.promiscuity == 1 && port.master == "bridge0", "{port:?}");
    assert_eq!((port.kind.clone(), port.master_kind.clone()), ("veth".into(), "bridge".into()));
    assert_eq!(named("tap0").promiscuity, 0);
    let (routes, _) = see::<calma_record::kinds::Route>("network");
    assert!(routes.iter().any(|route| route.destination == "192.0.2.0/24" && route.interface == "wire0"));
}

#[test]
fn any_refused_file_is_a_gap_and_never_a_failure() {
    use calma_testkit::network::{holder, host, packets, table};
    let make = || {
        let mem =
            holder(host(&["/usr/sbin/sshd"]), 9, "/usr/sbin/sshd", "/system.slice/ssh.service", 1, &[5, 6]);
        packets(table(mem, "self", "tcp", &[(10, 22, 0, 0, 5), (1, 22, 40_000, 0, 6)]), &[(7, 3, 0, true)])
            .file("/proc/9/mountinfo", "1 1 0:4 net:[9] /run/netns/x rw - nsfs nsfs rw\n")
            .file("/proc/self/net/unix", b"Num\n\xff\n0: 2 0 10000 1 1 99999999999999999999 @\x1b[2J\n")
    };
    for path in make().paths() {
        for errno in [libc::EACCES, libc::EIO] {
            calma_testkit::check(make().failing(&path, errno));
        }
    }
}
