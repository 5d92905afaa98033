//! What a process needs that outlives the session it was started from: its own session and control group, memory that is not
//! paged out, and a clock that nobody sets.

use crate::HostError;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use std::time::Duration;

/// Time since boot, suspend included (CLOCK_BOOTTIME of clock_gettime(2)).
pub fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

/// Processor time that this process has used (CLOCK_PROCESS_CPUTIME_ID of clock_gettime(2)).
pub fn own_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(used.tv_sec), u32::try_from(used.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

/// Leaves the session, its terminal, its control group and its folder, and locks its memory. What could not be done is told,
/// one sentence each: none of it is needed for a guard to work, each makes it harder to end by accident.
pub fn stand_alone(group: &str) -> Vec<String> {
    let mut lacking = Vec::new();
    if let Err(errno) = rustix::process::setsid()
        && errno != Errno::PERM
    {
        lacking.push(format!("a session of its own: {}", why("setsid", errno)));
    }
    // A login's end takes the processes of its group with it (KillUserProcesses of logind.conf(5)).
    let moved = own_groups(group);
    if moved == 0 {
        lacking.push("a control group of its own: none could be made".to_owned());
    }
    let _ = rustix::process::chdir("/");
    if let Err(errno) = stay_in_memory() {
        lacking.push(format!("memory that stays in place: {}", why("mlockall", errno)));
    }
    if let Err(errno) = write("/proc/self/oom_score_adj", b"-1000") {
        lacking.push(format!("an exemption when memory runs out: {}", why("write", errno)));
    }
    lacking
}

/// Keeps what this process uses from being paged out, and all of its program in memory: it goes on without a disk. Room that the
/// allocator keeps and nobody uses is not filled for that (MCL_ONFAULT of mlockall(2), since Linux 4.4).
fn stay_in_memory() -> Result<(), Errno> {
    use rustix::mm::MlockAllFlags as Flags;
    let all = Flags::CURRENT | Flags::FUTURE;
    match rustix::mm::mlockall(all | Flags::ONFAULT) {
        Err(Errno::INVAL) => return rustix::mm::mlockall(all),
        other => other?,
    }
    let program = rustix::fs::stat("/proc/self/exe")?.st_ino.to_string();
    for line in read("/proc/self/maps")?.split(|b| *b == b'\n') {
        let Some((from, length)) = std::str::from_utf8(line).ok().and_then(|line| mapping(line, &program))
        else {
            continue;
        };
        let at = std::ptr::without_provenance_mut::<core::ffi::c_void>(from);
        // SAFETY: mlock(2) changes nothing of what is there, and answers ENOMEM where nothing is.
        unsafe { rustix::mm::mlock(at, length) }?;
    }
    Ok(())
}

/// Where a line of /proc/self/maps (proc_pid_maps(5)) begins and how long it is, if it is one of the file with this inode.
fn mapping(line: &str, inode: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    let [from, to] = [from, to].map(|address| usize::from_str_radix(address, 16).ok());
    (fields.nth(3)? == inode).then(|| Some((from?, to?.checked_sub(from?)?)))?
}

/// Moves this process into a group of its own name in every hierarchy that has one; how many did.
fn own_groups(group: &str) -> usize {
    let mounts = read("/proc/self/mountinfo").unwrap_or_default();
    let hierarchy = |line: &[u8]| {
        let text = std::str::from_utf8(line).ok()?;
        let (before, after) = text.split_once(" - ")?;
        let kind = after.split(' ').next()?;
        // The unified hierarchy, and the one by which systemd knows sessions (cgroups(7)).
        let fits = kind == "cgroup2" || (kind == "cgroup" && after.contains("name=systemd"));
        fits.then(|| before.split(' ').nth(4).map(str::to_owned))?
    };
    let folders: Vec<String> = mounts.split(|b| *b == b'\n').filter_map(hierarchy).collect();
    let enter = |folder: &String| {
        let path = format!("{folder}/{group}");
        let made = rustix::fs::mkdirat(CWD, path.as_str(), Mode::from_raw_mode(0o755));
        matches!(made, Ok(()) | Err(Errno::EXIST)) && write(&format!("{path}/cgroup.procs"), b"0").is_ok()
    };
    folders.iter().filter(|folder| enter(folder)).count()
}

/// Lets go of standard output and standard error: whoever reads them sees their end, also while a thread of this process is
/// stuck in the kernel and keeps the process from ending.
pub fn close_outputs() {
    if let Ok(nothing) = rustix::fs::openat(CWD, "/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
    {
        let _ = rustix::stdio::dup2_stdout(&nothing);
        let _ = rustix::stdio::dup2_stderr(&nothing);
    }
}

/// Removes the group again, when nothing is in it any more.
pub fn remove_own_groups(group: &str) {
    let mounts = read("/proc/self/mountinfo").unwrap_or_default();
    for line in mounts.split(|b| *b == b'\n') {
        let folder = std::str::from_utf8(line).ok().and_then(|line| line.split(' ').nth(4));
        let fits = line.windows(9).any(|window| window == b" - cgroup");
        if let (true, Some(folder)) = (fits, folder) {
            // Nobody may be in a group that goes, this process included.
            let _ = write(&format!("{folder}/cgroup.procs"), b"0");
            let _ = rustix::fs::unlinkat(CWD, format!("{folder}/{group}"), rustix::fs::AtFlags::REMOVEDIR);
        }
    }
}

/// Which of the descriptors can be read, or waits at most so long. Interrupted by a signal: none.
///
/// # Errors
/// When the kernel refuses.
pub fn readable(descriptors: &[BorrowedFd<'_>], at_most: Duration) -> Result<Vec<bool>, HostError> {
    use rustix::event::{PollFd, PollFlags, Timespec};
    let mut polled: Vec<PollFd<'_>> =
        descriptors.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let wait = Timespec {
        tv_sec: i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: at_most.subsec_nanos().into(),
    };
    match rustix::event::poll(&mut polled, Some(&wait)) {
        Ok(_) => Ok(polled.iter().map(|one| !one.revents().is_empty()).collect()),
        Err(Errno::INTR) => Ok(vec![false; descriptors.len()]),
        Err(errno) => Err(HostError::errno("poll", "descriptors", errno)),
    }
}

/// The user id of whoever is at the other end of a unix socket (SO_PEERCRED of unix(7)); `None` where it is not told.
pub fn peer_user(socket: impl AsFd) -> Option<u32> {
    rustix::net::sockopt::socket_peercred(socket).ok().map(|peer| peer.uid.as_raw())
}

fn why(call: &'static str, errno: Errno) -> String {
    HostError::errno(call, "", errno).why()
}

fn write(path: &str, bytes: &[u8]) -> Result<(), Errno> {
    let file =
        rustix::fs::openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?;
    rustix::io::write(file, bytes).map(drop)
}

fn read(path: &str) -> Result<Vec<u8>, Errno> {
    let file = rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let (mut all, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match rustix::io::read(&file, piece.as_mut_slice()) {
            Ok(0) => return Ok(all),
            Ok(n) => all.extend(piece.get(..n).unwrap_or_default()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
