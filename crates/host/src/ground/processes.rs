//! Processes by identity, read from /proc/PID/stat in one pass.

use crate::HostError;
use calma_record::Text;
use calma_record::step::ProcessName;
use rustix::fd::AsFd;
use rustix::fs::{CWD, Mode, OFlags};

/// One process as proc_pid_stat(5) tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessLine {
    /// Process id.
    pub pid: u32,
    /// Name it gives itself.
    pub name: Text,
    /// State letter.
    pub state: u8,
    /// Parent.
    pub parent: u32,
    /// Process group.
    pub group: u32,
    /// Session.
    pub session: u32,
    /// Whether it is a thread of the kernel (PF_KTHREAD, include/linux/sched.h).
    pub kernel_thread: bool,
    /// Start in clock ticks since boot.
    pub started: u64,
}

impl ProcessLine {
    /// Its identity.
    pub fn identity(&self) -> ProcessName {
        ProcessName { pid: self.pid, started: self.started, name: self.name.clone() }
    }

    /// Whether it has ended and only waits to be collected.
    pub fn is_gone(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Whether it is stopped by a signal or a tracer.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let open = text.iter().position(|b| *b == b'(')?;
        // The name may hold anything, parentheses too: the last one closes it.
        let close = text.iter().rposition(|b| *b == b')')?;
        let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.trim().parse::<u64>().ok();
        let small = |bytes: Option<&&[u8]>| u32::try_from(number(bytes?)?).ok();
        let fields: Vec<&[u8]> = text.get(close + 2..)?.split(|b| *b == b' ').collect();
        Some(Self {
            pid: u32::try_from(number(text.get(..open)?)?).ok()?,
            name: text.get(open + 1..close)?.into(),
            state: *fields.first()?.first()?,
            parent: small(fields.get(1)).unwrap_or(0),
            group: small(fields.get(2)).unwrap_or(0),
            session: small(fields.get(3)).unwrap_or(0),
            kernel_thread: fields
                .get(6)
                .and_then(|f| number(f))
                .is_some_and(|flags| flags & 0x0020_0000 != 0),
            started: number(fields.get(19)?)?,
        })
    }
}

/// Every process, by pid. One that vanishes on the way is left out.
///
/// # Errors
/// When /proc can not be listed.
pub fn processes() -> Result<Vec<ProcessLine>, HostError> {
    newcomers(&[])
}

/// Every process whose id none of `known`, which are sorted by it, has: far quicker than reading all of them again.
///
/// # Errors
/// When /proc can not be listed.
pub fn newcomers(known: &[ProcessLine]) -> Result<Vec<ProcessLine>, HostError> {
    let proc =
        rustix::fs::openat(CWD, "/proc", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| HostError::errno("open", "/proc", errno))?;
    let mut space = Vec::with_capacity(32 << 10);
    let mut listing = rustix::fs::RawDir::new(&proc, space.spare_capacity_mut());
    let mut found = Vec::new();
    while let Some(entry) = listing.next() {
        let entry = entry.map_err(|errno| HostError::errno("getdents", "/proc", errno))?;
        let name = entry.file_name().to_bytes();
        let pid = std::str::from_utf8(name).ok().and_then(|name| name.parse::<u32>().ok());
        if pid.is_some_and(|pid| known.binary_search_by_key(&pid, |line| line.pid).is_err()) {
            found.extend(line(&proc, name));
        }
    }
    found.sort_unstable_by_key(|process| process.pid);
    Ok(found)
}

/// One process, if it is there.
pub fn process(pid: u32) -> Option<ProcessLine> {
    line(CWD, format!("/proc/{pid}").as_bytes())
}

fn line(proc: impl AsFd, pid: &[u8]) -> Option<ProcessLine> {
    let path = [pid, b"/stat"].concat();
    let file = rustix::fs::openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = [0; 2048];
    let n = rustix::io::read(&file, &mut text).ok()?;
    ProcessLine::parse(text.get(..n)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_and_its_parent_are_seen() {
        let me = process(std::process::id()).unwrap();
        let all = processes().unwrap();
        let others: Vec<_> = all.iter().filter(|p| p.pid != me.pid).cloned().collect();
        assert_eq!(newcomers(&others).unwrap().iter().find(|p| p.pid == me.pid), process(me.pid).as_ref());
        assert!(newcomers(&all).unwrap().iter().all(|p| p.pid != me.pid));
        assert!(all.iter().any(|p| p.identity() == me.identity()));
        assert!(!me.kernel_thread && !me.is_gone() && me.started > 0);
    }

    #[test]
    fn a_name_may_hold_anything() {
        let line = b"41 (a) R 7 (b\n) S 1 41 40 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5000 4 1 0";
        let parsed = ProcessLine::parse(line).unwrap();
        assert_eq!(parsed.name, "a) R 7 (b\n");
        assert_eq!((parsed.pid, parsed.parent, parsed.session, parsed.started), (41, 1, 40, 5000));
        assert!(parsed.kernel_thread);
        for end in 0..line.len() {
            let _ = ProcessLine::parse(&line[..end]);
        }
    }
}
