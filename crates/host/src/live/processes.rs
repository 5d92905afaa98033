//! Processes asked for by system calls, one id after another.

use super::kernel::LiveKernel;
use super::{task_iterator, taskstats};
use crate::{Asking, Cause, Held, HostError, Processes};
use rustix::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ops::Range;

/// No process can have this id: the kernel's bound is 4,194,304 (PID_MAX_LIMIT, include/linux/threads.h).
pub(super) const NOBODY: u32 = 0x3fff_ffff;

/// IOPRIO_WHO_PROCESS of include/uapi/linux/ioprio.h.
const IOPRIO_WHO_PROCESS: libc::c_int = 1;

impl Processes for LiveKernel {
    fn sweep(&self, asking: Asking, range: Range<u32>) -> Result<Vec<u32>, HostError> {
        match asking {
            Asking::Iterator => return task_iterator::processes(range),
            Asking::Statistics => return taskstats::processes(range),
            _ => {}
        }
        // A call that is missing or filtered gives the same error for every id. Whoever can not deny can not confirm.
        let errno = ask(asking, NOBODY);
        if errno != libc::ESRCH {
            let errno = if errno == 0 { libc::EPERM } else { errno };
            return Err(HostError::new(asking.call(), "", Cause::Errno(errno)));
        }
        Ok(range.filter(|pid| exists(asking, ask(asking, *pid))).collect())
    }

    fn hold(&self, pid: u32) -> Result<Box<dyn Held>, HostError> {
        let handle = open(pid).map_err(|errno| HostError::new("pidfd_open", "", Cause::Errno(errno)))?;
        match signal(&handle) {
            0 | libc::EPERM => Ok(Box::new(Handle(handle))),
            errno => Err(HostError::new("pidfd_send_signal", "", Cause::Errno(errno))),
        }
    }
}

/// Whether the error number says that the id is in use.
fn exists(asking: Asking, errno: i32) -> bool {
    match (asking, errno) {
        (_, 0) | (_, libc::EPERM | libc::EACCES) => true,
        // The id of a thread that is no process: EINVAL, later ENOENT.
        (Asking::Handle, libc::EMFILE | libc::ENFILE | libc::ENOMEM) => true,
        _ => false,
    }
}

/// Asks about one id; the error number, 0 for success.
fn ask(asking: Asking, pid: u32) -> i32 {
    let pid_argument = libc::c_long::from(pid.cast_signed());
    let zero: libc::c_long = 0;
    let answer = match asking {
        // SAFETY: kill with signal 0 sends nothing and reads no memory of ours; `pid` is never 0 or negative, see below.
        Asking::Signal if pid > 0 => unsafe { libc::syscall(libc::SYS_kill, pid_argument, zero) },
        // kill(0) means calma's own group, which says nothing of a process.
        Asking::Signal => return libc::ESRCH,
        // SAFETY: getpgid takes a number and reads no memory of ours.
        Asking::Group => unsafe { libc::syscall(libc::SYS_getpgid, pid_argument) },
        // SAFETY: sched_getscheduler takes a number and reads no memory of ours.
        Asking::Scheduler => unsafe { libc::syscall(libc::SYS_sched_getscheduler, pid_argument) },
        // SAFETY: getsid takes a number and reads no memory of ours.
        Asking::Session => unsafe { libc::syscall(libc::SYS_getsid, pid_argument) },
        Asking::Handle => return open(pid).err().unwrap_or(0),
        Asking::Parameters => {
            let mut parameters: libc::c_int = 0;
            let to: *mut libc::c_int = &raw mut parameters;
            // SAFETY: `to` points to a live, writable int, which is all of the kernel's struct sched_param.
            unsafe { libc::syscall(libc::SYS_sched_getparam, pid_argument, to) }
        }
        Asking::Affinity => {
            let mut mask = [0_u64; 128];
            // SAFETY: the length given is that of `mask`, which is live, writable and aligned for long.
            unsafe {
                libc::syscall(
                    libc::SYS_sched_getaffinity,
                    pid_argument,
                    size_of_val(&mask),
                    mask.as_mut_ptr(),
                )
            }
        }
        // SAFETY: getpriority takes two numbers and reads no memory of ours. The raw call never gives a negative value.
        Asking::Priority => unsafe {
            libc::syscall(libc::SYS_getpriority, libc::c_long::from(libc::PRIO_PROCESS), pid_argument)
        },
        // Answered by `sweep`.
        Asking::Statistics | Asking::Iterator => return libc::ESRCH,
        // SAFETY: ioprio_get takes two numbers and reads no memory of ours.
        Asking::IoPriority => unsafe {
            libc::syscall(libc::SYS_ioprio_get, libc::c_long::from(IOPRIO_WHO_PROCESS), pid_argument)
        },
    };
    if answer < 0 { errno() } else { 0 }
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// pidfd_open(2); close-on-exec by the kernel.
fn open(pid: u32) -> Result<OwnedFd, i32> {
    // SAFETY: pidfd_open takes two numbers and reads no memory of ours.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::c_long::from(pid.cast_signed()), 0_u32) };
    match i32::try_from(answer) {
        // SAFETY: the kernel has just given this descriptor to us and nobody else knows it.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(errno()),
    }
}

/// pidfd_send_signal(2) with signal 0, which sends nothing; the error number, 0 for success.
fn signal(handle: &OwnedFd) -> i32 {
    let nothing: libc::c_long = 0;
    let descriptor = libc::c_long::from(handle.as_raw_fd());
    // SAFETY: signal 0 sends nothing; a null siginfo is allowed and means the default one.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, descriptor, nothing, nothing, nothing) };
    if answer < 0 { errno() } else { 0 }
}

struct Handle(OwnedFd);

impl Held for Handle {
    fn alive(&self) -> bool {
        matches!(signal(&self.0), 0 | libc::EPERM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_knows_this_process_and_denies_one_that_can_not_be() {
        let (kernel, me) = (LiveKernel::default(), std::process::id());
        for asking in Asking::ALL {
            let answer = kernel.sweep(asking, me..me + 1);
            // These two need rights, and a kernel that was built with them.
            if matches!(asking, Asking::Statistics | Asking::Iterator) && answer.is_err() {
                continue;
            }
            assert_eq!(answer.unwrap(), [me], "{asking:?}");
            assert!(!kernel.answers(asking, NOBODY), "{asking:?}");
        }
        assert!(kernel.hold(me).unwrap().alive());
    }

    #[test]
    fn a_held_process_that_ended_is_not_alive() {
        #[expect(clippy::disallowed_methods, reason = "a test's own child")]
        let mut child = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let held = LiveKernel::default().hold(child.id()).unwrap();
        assert!(held.alive());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!held.alive());
    }
}
