//! How much of the host's time calma takes.

use crate::Tree;

/// How a thread behaves towards the host's own work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// At ordinary priority: what is gone in seconds must be taken before it is gone, also while a miner burns every core.
    Prompt,
    /// Behind the host's own work: nice 10 (sched(7): about a tenth of an ordinary thread's share) and idle I/O priority.
    Gentle,
}

/// Sets the calling thread's CPU and I/O priority. Refusals are harmless and ignored.
pub fn behave(manners: Manners) {
    if manners == Manners::Gentle {
        // PRIO_PROCESS with id 0 is the calling thread on Linux (setpriority(2), BUGS).
        let _ = rustix::process::setpriority_process(None, 10);
        idle_io();
    }
}

/// ioprio_set(2): class IDLE (3) for the calling thread. There is no libc wrapper.
fn idle_io() {
    const IOPRIO_WHO_PROCESS: libc::c_long = 1;
    const IDLE: libc::c_long = 3 << 13;
    // SAFETY: the call takes three integers and touches no memory of this process.
    unsafe {
        libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0 as libc::c_long, IDLE);
    }
}

/// Whether the host is short of memory or disk time: tasks waited for more than a fifth of the last ten seconds
/// (`some avg10` of /proc/pressure, kernel documentation accounting/psi). False on kernels that do not say.
pub fn pressed(tree: &dyn Tree) -> bool {
    ["memory", "io"].iter().any(|what| {
        let path = format!("/proc/pressure/{what}");
        let Ok(text) = tree.read(path.as_bytes(), 4096) else { return false };
        some_avg10(&text.bytes).is_some_and(|share| share > 20.0)
    })
}

fn some_avg10(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    line.split(' ').find_map(|word| word.strip_prefix("avg10="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mem;

    #[test]
    fn pressure_is_read_and_its_absence_is_calm() {
        let text = |share: &str| {
            format!("some avg10={share} avg60=1.00 avg300=0.00 total=5\nfull avg10=99.00 total=1\n")
        };
        assert!(pressed(&Mem::new().file("/proc/pressure/io", text("35.10"))));
        assert!(!pressed(&Mem::new().file("/proc/pressure/io", text("3.10"))));
        assert!(!pressed(&Mem::new()));
    }
}
