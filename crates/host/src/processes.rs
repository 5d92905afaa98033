//! Views on processes by system call, beside /proc.

use crate::HostError;
use std::ops::Range;

/// A view of the kernel that tells whether a process id is in use, most of them system calls. All but [`Asking::Handle`]
/// and [`Asking::Iterator`] answer for the ids of threads too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asking {
    /// kill(2) with signal 0, which sends nothing.
    Signal,
    /// getpgid(2).
    Group,
    /// sched_getscheduler(2).
    Scheduler,
    /// pidfd_open(2), Linux 5.3: processes only.
    Handle,
    /// getsid(2).
    Session,
    /// sched_getparam(2).
    Parameters,
    /// sched_getaffinity(2).
    Affinity,
    /// getpriority(2).
    Priority,
    /// ioprio_get(2).
    IoPriority,
    /// Statistics of a task by generic netlink (Documentation/accounting/taskstats.rst of the kernel).
    Statistics,
    /// The kernel's own walk over its tasks, through a BPF iterator (Linux 5.8, with BTF): processes only, and only from
    /// the first pid namespace, since it tells the numbers of that one.
    Iterator,
}

impl Asking {
    /// Views that are asked over the whole range of process ids.
    pub const RANGE: [Self; 4] = [Self::Signal, Self::Group, Self::Scheduler, Self::Handle];

    /// Every view.
    pub const ALL: [Self; 11] = [
        Self::Signal,
        Self::Group,
        Self::Scheduler,
        Self::Handle,
        Self::Session,
        Self::Parameters,
        Self::Affinity,
        Self::Priority,
        Self::IoPriority,
        Self::Statistics,
        Self::Iterator,
    ];

    /// Name of the system call or interface.
    pub fn call(self) -> &'static str {
        match self {
            Self::Signal => "kill",
            Self::Group => "getpgid",
            Self::Scheduler => "sched_getscheduler",
            Self::Handle => "pidfd_open",
            Self::Session => "getsid",
            Self::Parameters => "sched_getparam",
            Self::Affinity => "sched_getaffinity",
            Self::Priority => "getpriority",
            Self::IoPriority => "ioprio_get",
            Self::Statistics => "taskstats",
            Self::Iterator => "bpf task iterator",
        }
    }
}

/// A process held by its identity: its id can not be given to another unnoticed (pidfd_open(2)).
pub trait Held: Send {
    /// Whether the process still runs.
    fn alive(&self) -> bool;
}

/// Views on processes that do not go through a directory listing.
pub trait Processes: Send + Sync {
    /// The ids of `range` that are in use as this view has it, in order.
    ///
    /// # Errors
    /// When the kernel lacks the call, or refuses it for every id so that its answers say nothing.
    fn sweep(&self, asking: Asking, range: Range<u32>) -> Result<Vec<u32>, HostError>;

    /// Holds on to a process.
    ///
    /// # Errors
    /// When there is no such process, or the kernel lacks pidfd_open(2) or pidfd_send_signal(2).
    fn hold(&self, pid: u32) -> Result<Box<dyn Held>, HostError>;

    /// Whether the id is in use as this view has it; `false` too where the view is not to be had.
    fn answers(&self, asking: Asking, pid: u32) -> bool {
        self.sweep(asking, pid..pid.saturating_add(1)).is_ok_and(|found| !found.is_empty())
    }
}
