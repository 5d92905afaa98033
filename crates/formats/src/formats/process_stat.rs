//! A process in numbers: /proc/PID/stat.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "process-stat",
    doc: "A process in numbers.",
    manual: "proc_pid_stat(5)",
    samples: &[
        b"18700 (a) b) R 18692 18692 14503 0 -1 4194304 103 0 0 0 0 0 0 0 20 0 1 0 247589 3133440 418 1 1 1 1 0\n",
        b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 11 0 0 20 0 1 0 2 0 0 1 0 0 0 0 0\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// The fields that calma uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Process id (field 1).
    pub pid: u32,
    /// Name (field 2), without its brackets.
    pub name: Text,
    /// State letter (field 3).
    pub state: char,
    /// Parent (field 4).
    pub parent: u32,
    /// Process group (field 5).
    pub group: u32,
    /// Session (field 6).
    pub session: u32,
    /// Controlling terminal's device number (field 7).
    pub terminal: u32,
    /// Kernel flags (field 9, include/linux/sched.h, PF_*).
    pub flags: u32,
    /// Number of threads (field 20).
    pub threads: u32,
    /// Start time in clock ticks since boot (field 22).
    pub start_ticks: u64,
    /// Size of the address space in bytes (field 23).
    pub memory: u64,
}

impl Stat {
    /// Whether it is a kernel thread (PF_KTHREAD).
    pub fn is_kernel_thread(&self) -> bool {
        self.flags & 0x0020_0000 != 0
    }
}

/// Reads the file. The name may hold anything, brackets and newlines too, so it ends at the last closing bracket.
pub fn parse(bytes: &[u8]) -> Option<Stat> {
    let open = bytes.iter().position(|b| *b == b'(')?;
    let close = bytes.iter().rposition(|b| *b == b')')?;
    let pid = lines::decimal(bytes.get(..open)?.trim_ascii())?;
    let name = bytes.get(open + 1..close)?.into();
    let rest = bytes.get(close + 1..)?.trim_ascii();
    let mut stat = Stat { pid, name, ..Stat::default() };
    // Numbers that may be negative (a foreign namespace's session is 0, no terminal group is -1) read as 0 then.
    for (field, word) in (3_u32..).zip(rest.split(|b| *b == b' ')) {
        match field {
            3 => stat.state = word.first().copied().map_or('?', char::from),
            4 => stat.parent = lines::decimal(word)?,
            5 => stat.group = lines::decimal(word).unwrap_or(0),
            6 => stat.session = lines::decimal(word).unwrap_or(0),
            7 => stat.terminal = lines::decimal(word).unwrap_or(0),
            9 => stat.flags = lines::decimal(word).unwrap_or(0),
            20 => stat.threads = lines::decimal(word).unwrap_or(0),
            22 => stat.start_ticks = lines::decimal(word)?,
            23 => {
                stat.memory = lines::decimal(word).unwrap_or(0);
                return Some(stat);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_a_kernel_thread() {
        let [process, thread] = FORMAT.samples else { panic!() };
        let process = parse(process).unwrap();
        assert_eq!((process.name, process.parent, process.start_ticks), ("a) b".into(), 18692, 247_589));
        assert!(parse(thread).unwrap().is_kernel_thread());
        assert_eq!(parse(b"1 (x) S 0 0"), None);
    }
}
