//! A process's memory: its regions, which pages are there, and their bytes.

use crate::HostError;
use crate::live::files::read_made_by_kernel;
use calma_record::Text;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

/// One region of a process's address space (proc_pid_maps(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// First address.
    pub start: u64,
    /// Address behind the last.
    pub end: u64,
    /// `rwxp` or `-` at each place.
    pub rights: Text,
    /// Offset in the mapped file.
    pub offset: u64,
    /// Device and inode of the mapped file as printed; `00:00 0` for none.
    pub inode: u64,
    /// Path or name of the region.
    pub name: Text,
}

/// The regions of a process, in order.
///
/// # Errors
/// When they can not be read.
pub fn regions(pid: u32) -> Result<Vec<Region>, HostError> {
    let text = read_made_by_kernel(format!("/proc/{pid}/maps").as_bytes(), 64 << 20)?.bytes;
    Ok(text.split(|b| *b == b'\n').filter_map(parse).collect())
}

fn parse(line: &[u8]) -> Option<Region> {
    let hexadecimal = |b: &[u8]| u64::from_str_radix(std::str::from_utf8(b).ok()?, 16).ok();
    let mut fields = line.splitn(6, |b| *b == b' ');
    let mut range = fields.next()?.split(|b| *b == b'-');
    let (start, end) = (hexadecimal(range.next()?)?, hexadecimal(range.next()?)?);
    let (rights, offset, _device) = (fields.next()?, hexadecimal(fields.next()?)?, fields.next()?);
    let inode = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let name = fields.next().unwrap_or_default().trim_ascii_start();
    (start < end).then(|| Region { start, end, rights: rights.into(), offset, inode, name: name.into() })
}

/// A process's memory, open for reading (proc_pid_mem(5)). It stays that of the process that was opened, whatever becomes
/// of its id.
#[derive(Debug)]
pub struct Memory {
    bytes: OwnedFd,
    pages: Option<OwnedFd>,
    page: u64,
}

impl Memory {
    /// Opens a process's memory.
    ///
    /// # Errors
    /// When there is no such process, or it may not be read (ptrace(2), PTRACE_MODE_ATTACH).
    pub fn of(pid: u32) -> Result<Self, HostError> {
        let open = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            rustix::fs::openat(CWD, path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|errno| HostError::errno("open", path, errno))
        };
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        Ok(Self { bytes: open("mem")?, pages: open("pagemap").ok(), page })
    }

    /// Bytes of a page.
    pub fn page(&self) -> u64 {
        self.page
    }

    /// Reads at an address; how many bytes came. 0 where nothing can be read there.
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        loop {
            match rustix::io::pread(&self.bytes, &mut *buffer, address) {
                Err(Errno::INTR) => {}
                other => return other.unwrap_or(0),
            }
        }
    }

    /// The parts of `[start, end)` that are in memory or swapped out, in order (pagemap.rst of the kernel); all of it
    /// where the kernel does not say. Gaps of fewer than `join` bytes are taken along.
    pub fn present(&self, start: u64, end: u64, join: u64) -> Vec<(u64, u64)> {
        /// Bit 63: the page is there. Bit 62: it is swapped out.
        const THERE: u64 = 3 << 62;
        let Some(pages) = &self.pages else { return vec![(start, end)] };
        let mut found: Vec<(u64, u64)> = Vec::new();
        let mut entries = vec![0; 1 << 16];
        let mut at = start;
        while at < end {
            let most =
                usize::try_from((end - at) / self.page * 8).unwrap_or(usize::MAX).clamp(8, entries.len());
            let wanted = entries.get_mut(..most).unwrap_or_default();
            let n = match rustix::io::pread(pages, wanted, at / self.page * 8) {
                Ok(n) if n >= 8 => n,
                _ => {
                    found.push((at, end));
                    break;
                }
            };
            for entry in entries.get(..n).unwrap_or_default().chunks_exact(8) {
                let next = at.saturating_add(self.page);
                if u64::from_ne_bytes(entry.try_into().unwrap_or_default()) & THERE != 0 {
                    match found.last_mut() {
                        Some((_, last)) if at.saturating_sub(*last) < join.max(1) => *last = next.min(end),
                        _ => found.push((at, next.min(end))),
                    }
                }
                at = next;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_read() {
        let canary = *b"a canary that this test looks for";
        let address = canary.as_ptr() as u64;
        let me = std::process::id();
        let region = regions(me).unwrap().into_iter().find(|r| (r.start..r.end).contains(&address)).unwrap();
        assert!(region.rights.as_bytes().starts_with(b"rw"), "{region:?}");
        let memory = Memory::of(me).unwrap();
        assert!(memory.present(region.start, region.end, 0).iter().any(|(a, b)| (*a..*b).contains(&address)));
        let mut read = [0; 33];
        assert_eq!(memory.read(address, &mut read), 33);
        assert_eq!(read, canary);
        assert_eq!(memory.read(0, &mut read), 0);
    }

    #[test]
    fn lines_of_maps_are_read_or_left_out() {
        let line = b"7f00-8f00 r-xp 00001000 08:01 42                 /usr/lib/a b (deleted)";
        let region = parse(line).unwrap();
        assert_eq!((region.start, region.end, region.offset, region.inode), (0x7f00, 0x8f00, 0x1000, 42));
        assert_eq!(region.name, "/usr/lib/a b (deleted)");
        for end in 0..line.len() {
            let _ = parse(&line[..end]);
        }
    }
}
