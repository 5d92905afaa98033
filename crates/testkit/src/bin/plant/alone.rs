//! What a program can hold or be that others do not see: own mounts, own network, a ring, code without a file.

use super::sleep;
use std::ffi::CString;
use std::os::fd::AsRawFd as _;

fn checked(what: &str, result: i64) -> i64 {
    assert!(result >= 0, "{what}: {}", std::io::Error::last_os_error());
    result
}

/// Goes into a mount namespace of its own and mounts a folder of memory, with a file in it, over `folder`.
pub(super) fn own_mounts(folder: &str) {
    let folder = CString::new(folder).unwrap();
    // SAFETY: all strings end with zero and outlive the calls.
    unsafe {
        checked("unshare", libc::unshare(libc::CLONE_NEWNS).into());
        let none = std::ptr::null();
        checked(
            "private",
            libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()).into(),
        );
        let kind = c"tmpfs".as_ptr();
        checked("mount", libc::mount(kind, folder.as_ptr(), kind, 0, none.cast()).into());
    }
    std::fs::write(format!("{}/notes", folder.to_str().unwrap()), "notes\n").unwrap();
    sleep();
}

/// Goes into a network namespace of its own and listens there.
pub(super) fn own_network(port: &str) {
    // SAFETY: the calls take numbers, and a request of the size that the kernel expects.
    unsafe {
        checked("unshare", libc::unshare(libc::CLONE_NEWNET).into());
        let socket = checked("socket", libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0).into()) as i32;
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[..2].copy_from_slice(&[b'l' as libc::c_char, b'o' as libc::c_char]);
        request.ifr_ifru.ifru_flags = libc::IFF_UP as i16;
        checked("up", libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &raw const request).into());
    }
    super::listen(port);
}

/// Holds a ring for system calls (io_uring_setup(2)).
pub(super) fn ring(entries: u32) {
    let mut parameters = [0_u64; 15];
    // SAFETY: struct io_uring_params has 120 bytes.
    checked("io_uring_setup", unsafe {
        libc::syscall(libc::SYS_io_uring_setup, entries, parameters.as_mut_ptr())
    });
    sleep();
}

/// Holds executable memory that no file on disk backs: one page of `ret`, which nothing calls.
pub(super) fn code(kind: &str) {
    const SIZE: usize = 65536;
    let memory = rustix::fs::memfd_create("code", rustix::fs::MemfdFlags::empty()).unwrap();
    rustix::fs::ftruncate(&memory, SIZE as u64).unwrap();
    let (rights, flags, file) = match kind {
        "sealed" => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1),
        "memory-file" => {
            (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC, libc::MAP_SHARED, memory.as_raw_fd())
        }
        "shared" => {
            (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1)
        }
        _ => (
            libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
        ),
    };
    // SAFETY: a new mapping of SIZE bytes that is written within its bounds and kept until the end.
    unsafe {
        let at = libc::mmap(std::ptr::null_mut(), SIZE, rights, flags, file, 0);
        assert!(at != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        std::ptr::write_bytes(at.cast::<u8>(), 0xc3, SIZE);
        if kind == "sealed" {
            checked("mprotect", libc::mprotect(at, SIZE, libc::PROT_READ | libc::PROT_EXEC).into());
        }
    }
    sleep();
}

/// Listens for the hypervisor (vsock(7)).
pub(super) fn listen_to_hypervisor(port: u32) {
    // SAFETY: the address is valid for its size; zero is a valid value of its other fields.
    unsafe {
        let socket = checked("socket", libc::socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0).into()) as i32;
        let mut address: libc::sockaddr_vm = std::mem::zeroed();
        address.svm_family = libc::AF_VSOCK as u16;
        (address.svm_port, address.svm_cid) = (port, libc::VMADDR_CID_ANY);
        let size = size_of::<libc::sockaddr_vm>() as u32;
        checked("bind", libc::bind(socket, (&raw const address).cast(), size).into());
        checked("listen", libc::listen(socket, 1).into());
    }
    sleep();
}

/// Makes an interface hand over everything, through a packet socket (packet(7)).
pub(super) fn listen_to_all(interface: &str) {
    let name = CString::new(interface).unwrap();
    let protocol = i32::from((libc::ETH_P_ALL as u16).to_be());
    // SAFETY: the name ends with zero, and the request is valid for its size.
    unsafe {
        let socket = checked("socket", libc::socket(libc::AF_PACKET, libc::SOCK_RAW, protocol).into()) as i32;
        let index = libc::if_nametoindex(name.as_ptr());
        assert!(index > 0, "{interface}: {}", std::io::Error::last_os_error());
        let request = libc::packet_mreq {
            mr_ifindex: index as i32,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        let size = size_of::<libc::packet_mreq>() as u32;
        let option = libc::PACKET_ADD_MEMBERSHIP;
        checked(
            "setsockopt",
            libc::setsockopt(socket, libc::SOL_PACKET, option, (&raw const request).cast(), size).into(),
        );
    }
    sleep();
}
