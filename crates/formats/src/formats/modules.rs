//! Kernel modules: /proc/modules, the module column of /proc/kallsyms, modules.dep, and taint messages of kernel logs.

use crate::{Format, lines};
use calma_record::Text;
use std::collections::{BTreeMap, BTreeSet};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "modules",
    doc: "Kernel modules in the kernel's own views, and their files.",
    manual: "proc_modules(5), proc_kallsyms(5), modules.dep(5)",
    samples: &[
        b"nf_nat 61440 2 nft_chain_nat,nf_conntrack_x, Live 0xffffffffc0a00000 (OE)\next4 1114112 1 - Live 0x0000000000000000\n",
        b"ffffffffc0a00000 t nf_nat_x\t[nf_nat]\n0000000000000000 T _text\nffffffffc0b00000 t bpf_prog_6deef7357e7b4530\t[bpf]\n",
        b"kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz\nupdates/dkms/my-mod.ko:\n",
        b"Nov 11 10:00:00 h kernel: [    5.1] zfs: loading out-of-tree module taints kernel.\n",
    ],
    feed: |bytes| {
        parse(bytes);
        Symbols::default().feed(bytes);
        files(bytes);
        tainting(bytes);
    },
};

/// One line of /proc/modules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// Its name.
    pub name: Text,
    /// Size in memory.
    pub size: u64,
    /// Modules that use it.
    pub used_by: Vec<Text>,
    /// `Live`, `Loading` or `Unloading`.
    pub state: Text,
    /// Taint letters.
    pub taint: Text,
}

/// The modules of /proc/modules.
pub fn parse(bytes: &[u8]) -> Vec<Module> {
    let module = |(_, line)| {
        let mut words = lines::words(line);
        let (name, size, _count, used_by) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let state = words.next().unwrap_or_default();
        let taint =
            words.nth(1).and_then(|word| word.strip_prefix(b"(")?.strip_suffix(b")")).unwrap_or_default();
        let users =
            used_by.split(|b| *b == b',').filter(|user| !matches!(*user, b"" | b"-" | b"[permanent]"));
        Some(Module {
            name: name.into(),
            size: lines::decimal(size)?,
            used_by: users.map(Text::from).collect(),
            state: state.into(),
            taint: taint.into(),
        })
    };
    lines::meaningful(bytes).filter_map(module).collect()
}

/// Collects the names of modules that own symbols, from pieces of /proc/kallsyms as they come.
#[derive(Debug, Default)]
pub struct Symbols {
    names: BTreeSet<Vec<u8>>,
    programs: BTreeSet<Vec<u8>>,
    addresses: BTreeMap<Vec<u8>, u64>,
    rest: Vec<u8>,
}

impl Symbols {
    /// More names than this are not kept.
    const MOST: usize = 20_000;

    /// Takes the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        let Some(end) = piece.iter().rposition(|b| *b == b'\n') else {
            // A line of the kernel has at most a few hundred bytes.
            if self.rest.len() + piece.len() <= 4096 {
                self.rest.extend_from_slice(piece);
            } else {
                self.rest.clear();
            }
            return;
        };
        let (whole, rest) = piece.split_at(end);
        let mut whole = whole.split(|b| *b == b'\n');
        if let Some(first) = whole.next() {
            let line = [std::mem::take(&mut self.rest).as_slice(), first].concat();
            self.line(&line);
        }
        whole.for_each(|line| self.line(line));
        self.rest = rest.get(1..).unwrap_or_default().to_vec();
    }

    fn line(&mut self, line: &[u8]) {
        let Some(start) = line.iter().rposition(|b| *b == b'\t') else { return self.own(line) };
        let module = line.get(start + 1..).and_then(|word| word.strip_prefix(b"[")?.strip_suffix(b"]"));
        let Some(module) = module else { return };
        if module == b"bpf" {
            let name = line.get(..start).and_then(|line| lines::words(line).nth(2)).unwrap_or_default();
            if let Some(program) = name.strip_prefix(b"bpf_prog_")
                && self.programs.len() < Self::MOST
            {
                self.programs.insert(program.to_vec());
            }
        } else if !module.starts_with(b"__builtin__")
            && self.names.len() < Self::MOST
            && !self.names.contains(module)
        {
            self.names.insert(module.to_vec());
        }
    }

    /// A symbol of the kernel itself: kept where it helps to name what BPF programs call.
    fn own(&mut self, line: &[u8]) {
        let Some(name) =
            line.get(19..).filter(|name| name.starts_with(b"bpf_") || *name == b"__bpf_call_base")
        else {
            return;
        };
        let address = line.get(..16).and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(address) = address.and_then(|digits| u64::from_str_radix(digits, 16).ok())
            && address != 0
            && self.addresses.len() < Self::MOST
        {
            self.addresses.insert(name.to_vec(), address);
        }
    }

    /// Names of the kernel's own BPF functions by their distance from `__bpf_call_base`, as programs call them; empty where
    /// addresses are hidden.
    pub fn helpers(&self) -> BTreeMap<i32, Vec<u8>> {
        let Some(base) = self.addresses.get(b"__bpf_call_base".as_slice()) else { return BTreeMap::new() };
        let distance = |address: &u64| i32::try_from(address.wrapping_sub(*base).cast_signed()).ok();
        self.addresses.iter().filter_map(|(name, address)| Some((distance(address)?, name.clone()))).collect()
    }

    /// Names of modules that own symbols. BPF programs and trampolines, which the kernel lists the same way, are not among them.
    pub fn modules(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(Vec::as_slice)
    }

    /// What the symbols of BPF programs are called, without `bpf_prog_`: tag, `_`, name.
    pub fn programs(&self) -> impl Iterator<Item = &[u8]> {
        self.programs.iter().map(Vec::as_slice)
    }
}

/// The files of modules.dep by module name, relative to its folder.
pub fn files(bytes: &[u8]) -> BTreeMap<Vec<u8>, Text> {
    lines::meaningful(bytes)
        .filter_map(|(_, line)| {
            let (file, _) = lines::cut(line, b':')?;
            let name = file.rsplit(|b| *b == b'/').next()?;
            let stem = name.split(|b| *b == b'.').next()?;
            // Files may have hyphens where the kernel's name has underscores.
            let name = stem.iter().map(|b| if *b == b'-' { b'_' } else { *b }).collect();
            Some((name, file.into()))
        })
        .collect()
}

/// Names of modules that a kernel log says tainted the kernel (kernel/module/main.c, signing.c).
pub fn tainting(log: &[u8]) -> BTreeSet<Vec<u8>> {
    const SIGNS: [&[u8]; 3] = [
        b": loading out-of-tree module taints kernel",
        b": module verification failed: signature and/or required key missing - tainting kernel",
        b": module license '",
    ];
    let mut names = BTreeSet::new();
    for line in log.split(|b| *b == b'\n').filter(|line| line.windows(5).any(|part| part == b"taint")) {
        for sign in SIGNS {
            let at = line.windows(sign.len()).position(|part| part == sign);
            let name = at.and_then(|at| lines::words(line.get(..at)?).last()).unwrap_or_default();
            let name = name.rsplit(|b| *b == b']').next().unwrap_or_default();
            let ordinary = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
            if !name.is_empty() && name.len() < 64 && name.iter().all(ordinary) && names.len() < 1000 {
                names.insert(name.to_vec());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_views_of_a_module() {
        let modules = parse(FORMAT.samples[0]);
        assert_eq!(modules.len(), 2);
        assert_eq!((modules[0].taint.as_bytes(), modules[0].used_by.len()), (&b"OE"[..], 2));
        assert_eq!((modules[1].state.as_bytes(), modules[1].used_by.len()), (&b"Live"[..], 0));
        let files = files(FORMAT.samples[2]);
        assert_eq!(files.get(b"my_mod".as_slice()).map(Text::as_bytes), Some(&b"updates/dkms/my-mod.ko"[..]));
        assert!(tainting(FORMAT.samples[3]).contains(b"zfs".as_slice()));
    }

    #[test]
    fn helpers_are_named_by_their_distance() {
        let mut symbols = Symbols::default();
        symbols.feed(b"ffffffff812f0000 T __bpf_call_base\nffffffff81300000 T bpf_override_return\nffffffff81200000 t bpf_x\n");
        assert_eq!(symbols.helpers().get(&0x10000).map(Vec::as_slice), Some(&b"bpf_override_return"[..]));
        assert!(symbols.helpers().contains_key(&-0xf0000));
    }

    #[test]
    fn symbols_come_in_pieces() {
        for size in 1..FORMAT.samples[1].len() {
            let mut symbols = Symbols::default();
            FORMAT.samples[1].chunks(size).for_each(|piece| symbols.feed(piece));
            assert_eq!(symbols.modules().collect::<Vec<_>>(), [b"nf_nat"], "{size}");
            assert!(symbols.helpers().is_empty());
            assert_eq!(symbols.programs().collect::<Vec<_>>(), [b"6deef7357e7b4530"]);
        }
    }
}
