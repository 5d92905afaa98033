//! Programs and sockets past the packet filter, through a server's own devices: bpf(2) and AF_XDP, from a thread in its network
//! namespace. They live as long as their descriptors.

use calma_testkit::bed::Bed;
use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// bpf(2) with an attribute of numbers at byte offsets.
fn bpf(command: libc::c_long, numbers: &[(usize, u64, usize)]) -> std::io::Result<OwnedFd> {
    let mut attribute = [0_u8; 256];
    for (at, value, length) in numbers {
        attribute[*at..at + length].copy_from_slice(&value.to_ne_bytes()[..*length]);
    }
    // SAFETY: the attribute is a live buffer of that length; addresses in it are of values that outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attribute.as_mut_ptr(), attribute.len()) };
    if result < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(result as i32) })
}

fn program(kind: u64, attach: u64, code: &[u64]) -> std::io::Result<OwnedFd> {
    bpf(
        5,
        &[
            (0, kind, 4),
            (4, code.len() as u64, 4),
            (8, code.as_ptr() as u64, 8),
            (16, c"GPL".as_ptr() as u64, 8),
            (68, attach, 4),
        ],
    )
}

/// Runs `work` on a thread in the server's network namespace.
pub(crate) fn within<T: Send>(bed: &Bed, work: impl FnOnce() -> T + Send) -> T {
    let file = std::fs::File::open(format!("/proc/{}/ns/net", bed.leader())).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            // SAFETY: setns takes no pointers; the thread ends after the work.
            assert_eq!(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }, 0);
            work()
        });
        thread.join().unwrap()
    })
}

/// The number of a device, in the namespace of the thread.
fn device(name: &str) -> u64 {
    let name = CString::new(name).unwrap();
    // SAFETY: the name is a live string that ends with a zero.
    u64::from(unsafe { libc::if_nametoindex(name.as_ptr()) })
}

/// Everything that comes in at one device leaves by another one: tcx, by a link.
pub(crate) fn redirect(from: &str, to: &str) -> std::io::Result<OwnedFd> {
    // r1 = device; r2 = 0; r0 = bpf_redirect(r1, r2); exit
    let code = [0xb7 | 1 << 8 | device(to) << 32, 0xb7 | 2 << 8, 0x85 | 23 << 32, 0x95];
    let loaded = program(3, 46, &code)?;
    bpf(28, &[(0, loaded.as_raw_fd() as u64, 4), (4, device(from), 4), (8, 46, 4)])
}

/// Everything that comes in at a device goes back by it: generic XDP, by a link.
pub(crate) fn reflect(at: &str) -> std::io::Result<OwnedFd> {
    // r0 = XDP_TX; exit
    let loaded = program(6, 37, &[0xb7 | 3 << 32, 0x95])?;
    bpf(28, &[(0, loaded.as_raw_fd() as u64, 4), (4, device(at), 4), (8, 37, 4), (12, 2, 4)])
}

/// Sends one frame by an AF_XDP socket in copy mode (Documentation/networking/af_xdp.rst of the kernel).
pub(crate) fn af_xdp(at: &str, frame: &[u8]) -> std::io::Result<()> {
    const SOL_XDP: i32 = 283;
    let failed = std::io::Error::last_os_error;
    // SAFETY: every call is given buffers of this function, of the lengths that are named; what is mapped is written within its
    // length, and not touched after it is unmapped.
    unsafe {
        let fd = libc::socket(44, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(failed());
        }
        let socket = OwnedFd::from_raw_fd(fd);
        let (area, flags) = (16 * 4096, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let memory = libc::mmap(std::ptr::null_mut(), area, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        let umem: [u64; 4] = [memory as u64, area as u64, 4096, 0];
        let set = |name, value: *const libc::c_void, length| {
            if libc::setsockopt(fd, SOL_XDP, name, value, length) < 0 { Err(failed()) } else { Ok(()) }
        };
        // address, length, size of a piece and headroom, flags
        set(4, umem.as_ptr().cast(), 28)?;
        let size = 16_u32;
        for ring in [5, 6, 3] {
            set(ring, (&raw const size).cast(), 4)?;
        }
        let (mut offsets, mut length) = ([0_u64; 16], 128_u32);
        if libc::getsockopt(fd, SOL_XDP, 1, offsets.as_mut_ptr().cast(), &raw mut length) < 0 {
            return Err(failed());
        }
        let [producer, _, descriptors, _] = [offsets[4], offsets[5], offsets[6], offsets[7]];
        let whole = descriptors as usize + 16 * 16;
        let shared = libc::MAP_SHARED | libc::MAP_POPULATE;
        let ring = libc::mmap(
            std::ptr::null_mut(),
            whole,
            libc::PROT_READ | libc::PROT_WRITE,
            shared,
            fd,
            0x8000_0000,
        );
        if ring == libc::MAP_FAILED {
            return Err(failed());
        }
        let mut address = [0_u8; 16];
        address[..2].copy_from_slice(&44_u16.to_ne_bytes());
        address[2..4].copy_from_slice(&2_u16.to_ne_bytes());
        address[4..8].copy_from_slice(&(device(at) as u32).to_ne_bytes());
        if libc::bind(fd, address.as_ptr().cast(), 16) < 0 {
            return Err(failed());
        }
        std::ptr::copy_nonoverlapping(frame.as_ptr(), memory.cast(), frame.len());
        let descriptor: *mut u8 = ring.cast::<u8>().add(descriptors as usize);
        descriptor.cast::<u64>().write_volatile(0);
        descriptor.add(8).cast::<u32>().write_volatile(frame.len() as u32);
        descriptor.add(12).cast::<u32>().write_volatile(0);
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
        ring.cast::<u8>().add(producer as usize).cast::<u32>().write_volatile(1);
        libc::sendto(fd, std::ptr::null(), 0, libc::MSG_DONTWAIT, std::ptr::null(), 0);
        std::thread::sleep(std::time::Duration::from_millis(50));
        // What is mapped would keep the socket, and with it the device's queue.
        libc::munmap(ring, whole);
        libc::munmap(memory, area);
        drop(socket);
    }
    Ok(())
}
