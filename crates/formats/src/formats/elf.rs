//! ELF: what a program or library asks the dynamic loader for.

use crate::Format;
use calma_record::Text;
use object::Endianness;
use object::elf::{self, DynamicTag, FileHeader32, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _};
use serde::{Deserialize, Serialize};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "elf",
    doc: "Programs and libraries: interpreter, libraries needed, where they are looked for, auditors.",
    manual: "elf(5), ld.so(8), the System V ABI's chapter on dynamic linking",
    samples: &[
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0\x01\0\0\0\0\0\0\0\0\0\0\0@\0\0\0\0\0\0\0\0\0\0\0\
          \0\0\0\0\0\0\0\0@\08\0\x04\0\0\0\0\0\0\0\x03\0\0\0\x04\0\0\0\x20\x01\0\0\0\0\0\0\x20\x01\0\0\0\
          \0\0\0\x20\x01\0\0\0\0\0\0\x1c\0\0\0\0\0\0\0\x1c\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x07\
          \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0P\x02\0\0\0\0\0\0P\x02\0\0\0\0\0\0\x01\0\
          \0\0\0\0\0\0\x02\0\0\0\x06\0\0\0\xa0\x01\0\0\0\0\0\0\xa0\x01\0\0\0\0\0\0\xa0\x01\0\0\0\0\0\0\
          \xb0\0\0\0\0\0\0\0\xb0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0Q\xe5td\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
          \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0/lib64/ld-linux-x8\
          6-64.so.2\0\0libc.so.6\0libx.so.1\0$ORIGIN/../lib:/opt/x/lib\0/var/tmp/l\0audit.so\0/dep/audit\
          .so\0liby.so\0filter.so\0\0\x05\0\0\0\0\0\0\0<\x01\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0c\0\0\0\0\0\0\
          \0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0\x0f\0\0\0\0\0\0\0/\
          \0\0\0\0\0\0\0\x1d\0\0\0\0\0\0\0\x15\0\0\0\0\0\0\0\xfc\xfe\xffo\0\0\0\0:\0\0\0\0\0\0\0\xfb\xfe\
          \xffo\0\0\0\0C\0\0\0\0\0\0\0\x0e\0\0\0\0\0\0\0Q\0\0\0\0\0\0\0\xff\xff\xff\x7f\0\0\0\0Y\0\0\0\0\
          \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x7fELF\x01\x01\x01\0",
        b"\0/etc/ld.so.preload\0x/y\0\0/lib/a b\0",
    ],
    feed: |bytes| {
        drop(parse(bytes));
        drop(paths(bytes));
    },
};

/// No more entries than this are taken from one dynamic section.
const ENTRIES: usize = 4096;
/// No more names than this are kept of one sort, none longer than [`LONGEST`].
const NAMES: usize = 512;
/// The longest name; no path of the kernel is longer.
const LONGEST: usize = 4096;

/// What the headers of an ELF file say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Elf {
    /// 32 or 64.
    pub bits: u8,
    /// The machine it is made for (`EM_X86_64` is 62).
    pub machine: u16,
    /// 1 object file (a kernel module), 2 program at a fixed place, 3 library or movable program, 4 core.
    pub kind: u16,
    /// The dynamic loader it is started by (`PT_INTERP`).
    pub interpreter: Option<Text>,
    /// Libraries it needs (`DT_NEEDED`).
    pub needed: Vec<Text>,
    /// Its own name as a library (`DT_SONAME`).
    pub name: Option<Text>,
    /// Directories searched before all others (`DT_RPATH`), one each.
    pub rpath: Vec<Text>,
    /// Directories searched after `LD_LIBRARY_PATH` (`DT_RUNPATH`), one each.
    pub runpath: Vec<Text>,
    /// Libraries that watch and may redirect every call between libraries (`DT_AUDIT`), one each.
    pub audit: Vec<Text>,
    /// The same, as the libraries it needs are to be watched (`DT_DEPAUDIT`).
    pub dependency_audit: Vec<Text>,
    /// Libraries that stand in for its own symbols (`DT_FILTER`, `DT_AUXILIARY`).
    pub filters: Vec<Text>,
    /// Whether it has a dynamic section at all; a static program has none.
    pub dynamic: bool,
    /// Whether a part of it is loaded both writable and executable.
    pub writable_code: bool,
    /// Whether it asks for a stack that can be executed.
    pub executable_stack: bool,
}

impl Elf {
    /// Whether it is a program rather than a library: it names a loader, or stands at a fixed place.
    pub fn is_program(&self) -> bool {
        self.interpreter.is_some() || self.kind == elf::ET_EXEC.0
    }
}

/// The headers of an ELF file; `None` if it is none. A part that is malformed gives nothing, the others are kept.
pub fn parse(bytes: &[u8]) -> Option<Elf> {
    match bytes.get(..5)? {
        [0x7f, b'E', b'L', b'F', 1] => read::<FileHeader32<Endianness>>(bytes, 32),
        [0x7f, b'E', b'L', b'F', 2] => read::<FileHeader64<Endianness>>(bytes, 64),
        _ => None,
    }
}

fn read<H: FileHeader<Endian = Endianness>>(bytes: &[u8], bits: u8) -> Option<Elf> {
    let header = H::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let mut found =
        Elf { bits, machine: header.e_machine(endian).0, kind: header.e_type(endian).0, ..Elf::default() };
    let segments = header.program_headers(endian, bytes).unwrap_or_default();
    for segment in segments {
        let (writes, runs) =
            (segment.p_flags(endian).0 & elf::PF_W.0 != 0, segment.p_flags(endian).0 & elf::PF_X.0 != 0);
        match segment.p_type(endian) {
            elf::PT_LOAD => found.writable_code |= writes && runs,
            elf::PT_GNU_STACK => found.executable_stack |= runs,
            elf::PT_INTERP => {
                let path = segment.data(endian, bytes).unwrap_or_default();
                let path = path.split(|b| *b == 0).next().unwrap_or_default();
                found.interpreter = (!path.is_empty() && path.len() <= LONGEST).then(|| path.into());
            }
            _ => {}
        }
    }
    // The kernel's and the loader's own way: by segments. Sections may be missing or lie.
    let dynamic = segments.iter().find_map(|segment| segment.dynamic(endian, bytes).ok().flatten());
    let Some(dynamic) = dynamic else { return Some(found) };
    found.dynamic = true;
    let dynamic = dynamic.get(..ENTRIES).unwrap_or(dynamic);
    let value = |entry: &H::Dyn| -> u64 { entry.d_val(endian).into() };
    let live = || dynamic.iter().take_while(|entry| entry.d_tag(endian) != elf::DT_NULL);
    let of = |wanted: DynamicTag| live().filter(move |entry| entry.d_tag(endian) == wanted).map(value);
    let strings = of(elf::DT_STRTAB).next().and_then(|address| {
        let size = of(elf::DT_STRSZ).next().unwrap_or(0);
        segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD).find_map(|segment| {
            let start: u64 = segment.p_vaddr(endian).into();
            let data = segment.data(endian, bytes).ok()?;
            let data = data.get(usize::try_from(address.checked_sub(start)?).ok()?..)?;
            Some(usize::try_from(size).ok().and_then(|size| data.get(..size)).unwrap_or(data))
        })
    });
    let strings = strings.unwrap_or_default();
    let text = |at: u64| {
        let rest = strings.get(usize::try_from(at).ok()?..)?;
        let rest = rest.get(..LONGEST).unwrap_or(rest);
        rest.split(|b| *b == 0).next().filter(|text| !text.is_empty())
    };
    let names = |wanted: DynamicTag| of(wanted).filter_map(text).take(NAMES);
    let listed = |wanted: DynamicTag| -> Vec<Text> {
        let parts = names(wanted).flat_map(|list| list.split(|b| *b == b':'));
        parts.filter(|part| !part.is_empty()).take(NAMES).map(Text::from).collect()
    };
    found.needed = names(elf::DT_NEEDED).map(Text::from).collect();
    found.name = names(elf::DT_SONAME).next().map(Text::from);
    found.rpath = listed(elf::DT_RPATH);
    found.runpath = listed(elf::DT_RUNPATH);
    found.audit = listed(elf::DT_AUDIT);
    found.dependency_audit = listed(elf::DT_DEPAUDIT);
    found.filters = names(elf::DT_FILTER).chain(names(elf::DT_AUXILIARY)).map(Text::from).collect();
    Some(found)
}

/// The strings of a file that are absolute paths: between two zero bytes, printable, at least four bytes long.
pub fn paths(bytes: &[u8]) -> Vec<Text> {
    let path = |part: &&[u8]| {
        part.starts_with(b"/")
            && (4..=256).contains(&part.len())
            && part.iter().all(|b| b.is_ascii_graphic() || *b == b' ')
    };
    let parts = bytes.split(|b| *b == 0);
    parts.filter(path).take(NAMES).map(Text::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_loader_is_asked_for() {
        let elf = parse(FORMAT.samples[0]).unwrap();
        assert_eq!((elf.bits, elf.machine, elf.kind), (64, 62, 3));
        assert_eq!(elf.interpreter, Some("/lib64/ld-linux-x86-64.so.2".into()));
        assert_eq!(elf.needed, ["libc.so.6", "libx.so.1"].map(Text::from));
        assert_eq!(elf.runpath, ["$ORIGIN/../lib", "/opt/x/lib"].map(Text::from));
        assert_eq!((elf.rpath.len(), elf.name), (1, Some("liby.so".into())));
        assert_eq!(elf.audit, [Text::from("audit.so")]);
        assert_eq!(elf.dependency_audit, [Text::from("/dep/audit.so")]);
        assert_eq!(elf.filters, [Text::from("filter.so")]);
        assert!(elf.dynamic && elf.writable_code && elf.executable_stack);
    }

    #[test]
    fn files_that_are_none_or_broken_give_less() {
        assert_eq!(parse(b"#!/bin/sh\n"), None);
        assert_eq!(parse(b""), None);
        let cut = parse(FORMAT.samples[0].get(..300).unwrap()).unwrap();
        assert!(cut.needed.is_empty() && !cut.dynamic);
    }

    #[test]
    fn paths_stand_between_zero_bytes() {
        assert_eq!(paths(FORMAT.samples[2]), ["/etc/ld.so.preload", "/lib/a b"].map(Text::from));
    }
}
