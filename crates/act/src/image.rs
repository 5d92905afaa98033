//! A process's memory as an ELF core file (elf(5), ET_CORE): every region that can be read, with the bytes that are there.
//!
//! Pages that were never touched or can be read from their file are left out: a region's segment says how long it is
//! (`p_memsz`) and how many bytes of it follow (`p_filesz`). Registers are not in it: taking them would need ptrace(2).

use calma_host::ground::{Memory, Region};
use std::io::{self, Read};

/// Pages that are apart by less than this are kept as one piece, with what lies between.
const JOIN: u64 = 64 << 10;

/// How many bytes are read at a time.
const WINDOW: u64 = 1 << 20;

/// One piece of memory in the file.
struct Part {
    start: u64,
    end: u64,
    rights: u32,
    /// Whether its bytes are in the file.
    bytes: bool,
}

/// The image, made while it is read.
pub(crate) struct Image {
    memory: Memory,
    parts: std::vec::IntoIter<Part>,
    /// The part that is being read, and where.
    current: Option<(Part, u64)>,
    ready: Vec<u8>,
    /// How many bytes of `ready` were given.
    given: usize,
    /// Bytes that were there and could not be read; they are zeros in the image.
    pub(crate) unread: u64,
}

impl Image {
    /// An image of these regions.
    pub(crate) fn new(memory: Memory, regions: &[Region]) -> Self {
        let mut parts = Vec::new();
        for region in regions {
            let rights = rights(region);
            // Nothing can be read where the process may not read, and the kernel's own pages are the same everywhere.
            let readable = rights & 4 != 0 && region.name != "[vvar]" && region.name != "[vsyscall]";
            let mut at = region.start;
            if readable {
                for (start, end) in memory.present(region.start, region.end, JOIN) {
                    if start > at {
                        parts.push(Part { start: at, end: start, rights, bytes: false });
                    }
                    parts.push(Part { start, end, rights, bytes: true });
                    at = end;
                }
            }
            if at < region.end {
                parts.push(Part { start: at, end: region.end, rights, bytes: false });
            }
        }
        let ready = head(&parts, memory.page());
        Self { memory, parts: parts.into_iter(), current: None, ready, given: 0, unread: 0 }
    }

    /// Makes the next bytes ready; `false` at the end.
    fn next(&mut self) -> bool {
        loop {
            match &mut self.current {
                Some((part, at)) if *at < part.end => {
                    let length = WINDOW.min(part.end - *at);
                    // Not cleared first: every byte is read, or made zero where it can not be.
                    self.ready.resize(usize::try_from(length).unwrap_or(0), 0);
                    self.given = 0;
                    self.unread += window(&self.memory, *at, &mut self.ready);
                    *at += length;
                    return true;
                }
                _ => match self.parts.find(|part| part.bytes) {
                    Some(part) => {
                        let start = part.start;
                        self.current = Some((part, start));
                    }
                    None => return false,
                },
            }
        }
    }
}

/// Fills a window; a page that can not be read stays zero. How many bytes could not be read.
fn window(memory: &Memory, address: u64, buffer: &mut [u8]) -> u64 {
    let page = usize::try_from(memory.page()).unwrap_or(4096);
    let (mut at, mut unread) = (0, 0);
    while let Some(rest) = buffer.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match memory.read(address + at as u64, rest) {
            0 => {
                let skipped = page.min(rest.len());
                rest.get_mut(..skipped).unwrap_or_default().fill(0);
                unread += skipped as u64;
                at += skipped;
            }
            n => at += n,
        }
    }
    unread
}

fn rights(region: &Region) -> u32 {
    let bits = [(b'r', 4), (b'w', 2), (b'x', 1)];
    bits.iter()
        .zip(region.rights.as_bytes())
        .filter(|((letter, _), there)| letter == *there)
        .map(|((_, bit), _)| bit)
        .sum()
}

/// The ELF header, one program header a part, and, where there are too many for the header's 16 bits, a section header
/// that holds their number (PN_XNUM of elf(5)); filled up to a page.
fn head(parts: &[Part], page: u64) -> Vec<u8> {
    const MANY: usize = 0xffff;
    let many = parts.len() >= MANY;
    let sections: u16 = many.into();
    let (header, program, section) = (64_u64, 56_u64, 64_u64);
    let after = header + program * parts.len() as u64;
    let mut offset = (after + section * u64::from(sections)).next_multiple_of(page);
    let mut out = Vec::new();
    out.extend_from_slice(&[
        0x7f,
        b'E',
        b'L',
        b'F',
        2,
        if cfg!(target_endian = "big") { 2 } else { 1 },
        1,
        0,
    ]);
    out.extend_from_slice(&[0; 8]);
    let machine: u16 = match std::env::consts::ARCH {
        "x86_64" => 62,
        "aarch64" => 183,
        "riscv64" => 243,
        "powerpc64" => 21,
        "s390x" => 22,
        _ => 0,
    };
    let short = |out: &mut Vec<u8>, value: u16| out.extend_from_slice(&value.to_ne_bytes());
    let word = |out: &mut Vec<u8>, value: u32| out.extend_from_slice(&value.to_ne_bytes());
    let long = |out: &mut Vec<u8>, value: u64| out.extend_from_slice(&value.to_ne_bytes());
    // ET_CORE, machine, version, entry, program headers, section headers, flags, sizes and counts.
    short(&mut out, 4);
    short(&mut out, machine);
    word(&mut out, 1);
    long(&mut out, 0);
    long(&mut out, header);
    long(&mut out, if many { after } else { 0 });
    word(&mut out, 0);
    short(&mut out, 64);
    short(&mut out, 56);
    short(&mut out, u16::try_from(parts.len()).ok().filter(|_| !many).unwrap_or(0xffff));
    short(&mut out, 64);
    short(&mut out, sections);
    short(&mut out, 0);
    for part in parts {
        let length = part.end - part.start;
        // PT_LOAD, flags, offset, virtual and physical address, bytes in the file and in memory, alignment.
        word(&mut out, 1);
        word(&mut out, part.rights);
        long(&mut out, offset);
        long(&mut out, part.start);
        long(&mut out, 0);
        long(&mut out, if part.bytes { length } else { 0 });
        long(&mut out, length);
        long(&mut out, page);
        if part.bytes {
            offset += length;
        }
    }
    if many {
        let mut null = vec![0; 64];
        if let Some(info) = null.get_mut(44..48) {
            info.copy_from_slice(&u32::try_from(parts.len()).unwrap_or(u32::MAX).to_ne_bytes());
        }
        out.extend_from_slice(&null);
    }
    out.resize(usize::try_from((out.len() as u64).next_multiple_of(page)).unwrap_or(out.len()), 0);
    out
}

impl Read for Image {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given >= self.ready.len() && !self.next() {
            return Ok(0);
        }
        let rest = self.ready.get(self.given..).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.given += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_of_this_process_holds_what_it_knows() {
        let canary: Vec<u8> = (0..64).map(|n| b"calma core canary"[n % 17] ^ 0x55).collect();
        let me = std::process::id();
        let mut image = Image::new(Memory::of(me).unwrap(), &calma_host::ground::regions(me).unwrap());
        let mut bytes = Vec::new();
        image.read_to_end(&mut bytes).unwrap();
        assert_eq!(&bytes[..4], b"\x7fELF");
        assert_eq!(bytes[16], 4);
        let count = u16::from_ne_bytes([bytes[56], bytes[57]]);
        let long = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
        let address = canary.as_ptr() as u64;
        let mut found = false;
        for number in 0..usize::from(count) {
            let at = 64 + number * 56;
            let (offset, start, size) = (long(at + 8), long(at + 16), long(at + 32));
            assert!(offset + size <= bytes.len() as u64);
            if (start..start + size).contains(&address) {
                let from = (offset + address - start) as usize;
                assert_eq!(&bytes[from..from + 64], canary.as_slice());
                found = true;
            }
        }
        assert!(found, "the page with the canary is in no segment");
    }
}
