//! BPF programs that do nothing, in the places where intruders put theirs. Only for the guest: BPF is machine-wide.

use std::os::fd::AsRawFd as _;

const PROG_LOAD: i32 = 5;
const OBJ_PIN: i32 = 6;
const PROG_ATTACH: i32 = 8;
const RAW_TRACEPOINT_OPEN: i32 = 17;
const LINK_CREATE: i32 = 28;

/// Loads a program of this type that returns a number (bpf(2)).
fn load(kind: u64, result: u64) -> i64 {
    assert!(std::fs::read_to_string("/proc/cmdline").unwrap().contains("calma.guest"), "only in the guest");
    // r0 = result; exit
    let instructions: [u64; 2] = [0xb7 | (result << 32), 0x95];
    let license = c"GPL";
    let mut attributes = [0_u64; 16];
    attributes[0] = kind | (2 << 32);
    attributes[1] = instructions.as_ptr() as u64;
    attributes[2] = license.as_ptr() as u64;
    call(PROG_LOAD, &attributes)
}

/// Attached to a point of the kernel (`sys_enter`, `sched_process_exec`, …), and pinned there, or held for two minutes if
/// `pin` is `-`.
pub(super) fn on_event(event: &str, pin: &str) {
    const RAW_TRACEPOINT: u64 = 17;
    let program = load(RAW_TRACEPOINT, 0);
    let name = std::ffi::CString::new(event).unwrap();
    let mut attributes = [0_u64; 16];
    attributes[0] = name.as_ptr() as u64;
    attributes[1] = program as u64;
    let link = call(RAW_TRACEPOINT_OPEN, &attributes);
    if pin == "-" {
        crate::sleep();
    }
    keep(link, pin);
}

/// Sees every packet of an interface (XDP) and lets it pass, pinned, and left there.
pub(super) fn on_interface(interface: &str, pin: &str) {
    const XDP: u64 = 6;
    const XDP_PASS: u64 = 2;
    const AT_XDP: u64 = 37;
    const GENERIC: u64 = 2;
    let program = load(XDP, XDP_PASS);
    let name = std::ffi::CString::new(interface).unwrap();
    // SAFETY: the name ends with zero.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    let mut attributes = [0_u64; 16];
    attributes[0] = program as u64 | (u64::from(index) << 32);
    attributes[1] = AT_XDP | (GENERIC << 32);
    keep(call(LINK_CREATE, &attributes), pin);
}

/// Sees every packet of a control group and lets it pass; stays without a pin.
pub(super) fn on_group(group: &str) {
    const CGROUP_SKB: u64 = 8;
    const AT_INGRESS: u64 = 0;
    const MULTI: u64 = 2;
    let program = load(CGROUP_SKB, 1);
    let group = std::fs::File::open(group).unwrap();
    let mut attributes = [0_u64; 16];
    attributes[0] = group.as_raw_fd() as u64 | ((program as u64) << 32);
    attributes[1] = AT_INGRESS | (MULTI << 32);
    call(PROG_ATTACH, &attributes);
}

fn keep(link: i64, pin: &str) {
    let path = std::ffi::CString::new(pin).unwrap();
    let mut attributes = [0_u64; 16];
    attributes[0] = path.as_ptr() as u64;
    attributes[1] = link as u64;
    call(OBJ_PIN, &attributes);
}

fn call(command: i32, attributes: &[u64; 16]) -> i64 {
    // SAFETY: the attribute block is valid for reads of its whole size, and what it points at outlives the call.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_ptr(), size_of_val(attributes)) };
    assert!(result >= 0, "bpf({command}): {}", std::io::Error::last_os_error());
    result
}
