//! The memory areas of a process: /proc/PID/maps.

use crate::{Format, lines};
use calma_record::Text;
use std::collections::BTreeMap;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "process-maps",
    doc: "The memory areas of a process.",
    manual: "proc_pid_maps(5)",
    samples: &[
        b"5596a3a00000-5596a3a02000 r--p 00000000 fe:00 1234                       /usr/bin/cat\n5596a3a02000-5596a3a07000 r-xp 00002000 fe:00 1234                       /usr/bin/cat\n7f0000000000-7f0000021000 rwxp 00000000 00:00 0 \n7f1000000000-7f1000021000 r-xp 00000000 00:01 55 /tmp/x y.so (deleted)\n7ffd5e3f9000-7ffd5e3fb000 r-xp 00000000 00:00 0                          [vdso]\n",
    ],
    feed: |bytes| {
        drop(parse(bytes));
        drop(areas(bytes, 64));
    },
};

/// One area of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
    /// Whether it may be read.
    pub readable: bool,
    /// Whether it may be written.
    pub writable: bool,
    /// The file or the kernel's own name for it; empty for memory without one.
    pub name: Text,
}

/// At most `most` areas, in order.
pub fn areas(bytes: &[u8], most: usize) -> Vec<Area> {
    let area = |line: &[u8]| {
        let mut words = line.splitn(6, |b| *b == b' ');
        let (range, rights) = (words.next()?, words.next()?);
        let (start, end) = lines::cut(range, b'-')?;
        let number = |text: &[u8]| u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok();
        let name = words.nth(3).unwrap_or_default().trim_ascii_start();
        let area = Area {
            start: number(start)?,
            end: number(end)?,
            readable: rights.first() == Some(&b'r'),
            writable: rights.get(1) == Some(&b'w'),
            name: name.into(),
        };
        (area.start < area.end).then_some(area)
    };
    bytes.split(|b| *b == b'\n').filter_map(area).take(most).collect()
}

/// What is executable in a process's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executable {
    /// Areas that belong to no file and were not made by the kernel.
    pub anonymous: u32,
    /// Of these, the ones that are writable too.
    pub writable: u32,
    /// Files by device and inode number, with their names as the kernel writes them.
    pub files: BTreeMap<(u64, u64), Text>,
}

/// More files than this in one process are not told apart.
const MOST: usize = 4096;

/// What is executable among the areas. A name may hold anything but a newline, which the kernel escapes.
pub fn parse(bytes: &[u8]) -> Executable {
    let mut seen = Executable::default();
    for line in bytes.split(|b| *b == b'\n') {
        let mut rest = line;
        let mut word = || {
            let start = rest.iter().position(|b| *b != b' ').unwrap_or(rest.len());
            let tail = rest.get(start..).unwrap_or_default();
            let end = tail.iter().position(|b| *b == b' ').unwrap_or(tail.len());
            rest = tail.get(end..).unwrap_or_default();
            tail.get(..end).unwrap_or_default()
        };
        let (_, rights, _, device, inode) = (word(), word(), word(), word(), word());
        let name = rest.trim_ascii_start();
        if rights.get(2) != Some(&b'x') {
            continue;
        }
        let inode: u64 = lines::decimal(inode).unwrap_or(0);
        if inode == 0
            && (name.is_empty()
                || name.starts_with(b"[anon")
                || name == b"[heap]"
                || name.starts_with(b"[stack"))
        {
            seen.anonymous = seen.anonymous.saturating_add(1);
            seen.writable = seen.writable.saturating_add(u32::from(rights.get(1) == Some(&b'w')));
        } else if name.starts_with(b"/") && seen.files.len() < MOST {
            seen.files.entry((number(device), inode)).or_insert_with(|| name.into());
        }
    }
    seen
}

/// `major:minor` in hexadecimal, as one number the way glibc's makedev(3) builds it.
fn number(device: &[u8]) -> u64 {
    let part =
        |part: &[u8]| std::str::from_utf8(part).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
    let Some((major, minor)) = lines::cut(device, b':') else { return 0 };
    let (major, minor) = (part(major).unwrap_or(0), part(minor).unwrap_or(0));
    ((major & 0xffff_f000) << 32) | ((major & 0xfff) << 8) | ((minor & 0xffff_ff00) << 12) | (minor & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_read_with_names_that_hold_spaces() {
        let areas = areas(FORMAT.samples[0], 9);
        assert_eq!(areas.len(), 5);
        assert_eq!((areas[0].start, areas[0].end), (0x5596_a3a0_0000, 0x5596_a3a0_2000));
        assert!(areas[2].writable && areas[2].name.is_empty());
        assert_eq!(areas[3].name, "/tmp/x y.so (deleted)");
    }

    #[test]
    fn executable_areas_are_told_apart() {
        let seen = parse(FORMAT.samples[0]);
        assert_eq!((seen.anonymous, seen.writable), (1, 1));
        let names: Vec<_> = seen.files.values().map(ToString::to_string).collect();
        assert_eq!(names, ["/tmp/x y.so (deleted)", "/usr/bin/cat"]);
    }
}
