//! The worker's list of allowed system calls (seccomp(2)).

use rustix::io::Errno;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;

/// What a job needs: the socket, reading at a place, memory, the clock, its own end. Nothing here opens, creates, connects,
/// signals or starts anything.
const ALLOWED: &[i64] = &[
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_pread64,
    libc::SYS_close,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_setitimer,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Memory may be had, but never made executable: the third argument of both.
const NOT_EXECUTABLE: &[i64] = &[libc::SYS_mmap, libc::SYS_mprotect];

/// fcntl(2), the one command allowed.
const F_GETFD: u64 = 1;
/// prctl(2), the one command allowed (linux/prctl.h): the allocator gives its memory a name.
const PR_SET_VMA: u64 = 0x5356_4d41;

/// Applies the filter to this thread for good. Anything else ends the process.
pub(super) fn apply() -> Result<(), String> {
    let program = compile().map_err(|error| error.to_string())?;
    let length = u16::try_from(program.len()).map_err(|_| "its filter is too long".to_owned())?;
    let filter = program.as_ptr().cast_mut().cast::<libc::sock_filter>();
    let program = libc::sock_fprog { len: length, filter };
    let to: *const libc::sock_fprog = &raw const program;
    // SAFETY: `to` points to a live sock_fprog whose `filter` points to `len` live instructions; seccompiler's
    // `sock_filter` has the kernel's layout (linux/filter.h, repr(C)). The kernel copies both before it returns.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, to) };
    if answer == 0 {
        return Ok(());
    }
    // Kernels before 3.17 know the same by prctl(2).
    // SAFETY: as above.
    let answer =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::c_ulong::from(libc::SECCOMP_MODE_FILTER), to) };
    if answer == 0 { Ok(()) } else { Err(last().to_string()) }
}

fn last() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::NOSYS)
}

fn compile() -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
    for call in NOT_EXECUTABLE {
        let none = SeccompCmpOp::MaskedEq(executable);
        let condition = SeccompCondition::new(2, SeccompCmpArgLen::Dword, none, 0)?;
        rules.insert(*call, vec![SeccompRule::new(vec![condition])?]);
    }
    // The standard library's debug builds look whether a descriptor is open before they close it.
    let looks = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, F_GETFD)?;
    rules.insert(libc::SYS_fcntl, vec![SeccompRule::new(vec![looks])?]);
    let names = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, PR_SET_VMA)?;
    rules.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![names])?]);
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?.try_into()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_filter_compiles_for_this_machine() {
        assert!(super::compile().unwrap().len() > super::ALLOWED.len());
    }
}
