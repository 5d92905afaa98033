//! A process in words: /proc/PID/status.

use crate::{Format, lines};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "process-status",
    doc: "A process in words.",
    manual: "proc_pid_status(5)",
    samples: &[
        b"Name:\thead\nTgid:\t187\nPid:\t187\nPPid:\t1\nTracerPid:\t9\nUid:\t0\t1\t2\t3\nGid:\t0\t0\t0\t0\nKthread:\t0\nVmSize:\t    2928 kB\nThreads:\t1\nCapPrm:\t000001fffeffffff\nCapEff:\t0000000000000002\nNoNewPrivs:\t0\nSeccomp:\t2\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// The fields that calma uses. A field that this kernel does not write is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Process (thread group) id.
    pub process: Option<u32>,
    /// Tracer's process id; 0 if none.
    pub tracer: u32,
    /// User ids: real, effective, saved, for file access.
    pub uids: Vec<u32>,
    /// Group ids: real, effective, saved, for file access.
    pub gids: Vec<u32>,
    /// Permitted capabilities.
    pub permitted: u64,
    /// Effective capabilities.
    pub effective: u64,
    /// Whether it can never gain rights by executing (Linux 4.10).
    pub no_new_privileges: Option<bool>,
    /// Seccomp mode (Linux 3.8).
    pub seccomp: Option<u32>,
    /// Whether it is a kernel thread (Linux 6.12).
    pub kernel_thread: Option<bool>,
    /// Whether it has an address space (`VmSize` is there).
    pub has_memory: bool,
}

/// Reads the file. The name is escaped by the kernel, so lines can be trusted to be the kernel's.
pub fn parse(bytes: &[u8]) -> Status {
    let mut status = Status::default();
    for line in bytes.split(|b| *b == b'\n') {
        let Some((field, value)) = lines::cut(line, b':') else { continue };
        match field {
            b"Tgid" => status.process = lines::decimal(value),
            b"TracerPid" => status.tracer = lines::decimal(value).unwrap_or(0),
            b"Uid" => status.uids = ids(value),
            b"Gid" => status.gids = ids(value),
            b"CapPrm" => status.permitted = hexadecimal(value),
            b"CapEff" => status.effective = hexadecimal(value),
            b"NoNewPrivs" => status.no_new_privileges = Some(value == b"1"),
            b"Seccomp" => status.seccomp = lines::decimal(value),
            b"Kthread" => status.kernel_thread = Some(value == b"1"),
            b"VmSize" => status.has_memory = true,
            _ => {}
        }
    }
    status
}

fn ids(value: &[u8]) -> Vec<u32> {
    lines::words(value).take(4).filter_map(lines::decimal).collect()
}

fn hexadecimal(value: &[u8]) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_read() {
        let status = parse(FORMAT.samples[0]);
        assert_eq!((status.process, status.tracer, status.effective), (Some(187), 9, 2));
        assert_eq!(status.uids, [0, 1, 2, 3]);
        assert!(status.has_memory && status.kernel_thread == Some(false));
    }
}
