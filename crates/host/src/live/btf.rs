//! As much of the kernel's own type information as an iterator needs: BTF (Documentation/bpf/btf.rst of the kernel).

/// `enum` of BTF kinds, include/uapi/linux/btf.h.
const STRUCT: u32 = 4;
const FUNCTION: u32 = 12;

/// Type information of a kernel, as /sys/kernel/btf/vmlinux holds it.
pub(super) struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
}

/// One type: its number, its kind and number of members, its name, and what follows its head.
struct Type<'a> {
    id: u32,
    kind: u32,
    /// Whether members pack a bit-field size into their offset.
    packed: bool,
    name: &'a [u8],
    members: &'a [u8],
}

impl<'a> Btf<'a> {
    /// Reads the head; `None` if this is no type information in this machine's byte order.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        if bytes.get(..2)? != 0xeb9f_u16.to_ne_bytes() {
            return None;
        }
        let body = bytes.get(size(word(bytes, 4)?)..)?;
        let part = |offset: u32, length: u32| body.get(size(offset)..)?.get(..size(length));
        Some(Self {
            types: part(word(bytes, 8)?, word(bytes, 12)?)?,
            strings: part(word(bytes, 16)?, word(bytes, 20)?)?,
        })
    }

    /// The number of a function.
    pub(super) fn function(&self, name: &[u8]) -> Option<u32> {
        self.types().find(|of| of.kind == FUNCTION && of.name == name).map(|of| of.id)
    }

    /// Offsets in bytes of members of a structure, in the order asked for.
    pub(super) fn offsets<const N: usize>(&self, structure: &[u8], members: [&[u8]; N]) -> Option<[u16; N]> {
        let found = self.types().find(|of| of.kind == STRUCT && of.name == structure)?;
        let mut offsets = [None; N];
        for member in found.members.chunks_exact(12) {
            let name = self.name(word(member, 0)?);
            let bits = word(member, 8)? & if found.packed { 0xff_ffff } else { u32::MAX };
            for (wanted, offset) in members.iter().zip(&mut offsets) {
                if *wanted == name {
                    *offset = u16::try_from(bits / 8).ok();
                }
            }
        }
        let mut all = [0; N];
        for (to, from) in all.iter_mut().zip(offsets) {
            *to = from?;
        }
        Some(all)
    }

    /// All types, in the order of their numbers, which begin with 1.
    fn types(&self) -> impl Iterator<Item = Type<'a>> {
        let (mut rest, mut id, strings) = (self.types, 0, self.strings);
        std::iter::from_fn(move || {
            let (name, info) = (word(rest, 0)?, word(rest, 4)?);
            let (kind, count) = (info >> 24 & 31, size(info & 0xffff));
            let length = match kind {
                1 | 14 | 17 => 4,
                3 => 12,
                STRUCT | 5 | 15 | 19 => count * 12,
                6 | 13 => count * 8,
                2 | 7..=11 | FUNCTION | 16 | 18 => 0,
                // A kind that this was not written for has a length that is not known.
                _ => return None,
            };
            let members = rest.get(12..12 + length)?;
            rest = rest.get(12 + length..)?;
            id += 1;
            Some(Type { id, kind, packed: info >> 31 == 1, name: text(strings, name), members })
        })
    }

    fn name(&self, at: u32) -> &'a [u8] {
        text(self.strings, at)
    }
}

fn text(strings: &[u8], at: u32) -> &[u8] {
    strings.get(size(at)..).and_then(|from| from.split(|b| *b == 0).next()).unwrap_or_default()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|word| u32::from_ne_bytes(*word))
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two types: `struct task { int a; int pid; }` and `func walk`.
    fn sample() -> Vec<u8> {
        let strings = b"\0task\0a\0pid\0walk\0";
        let mut types = Vec::new();
        for number in [1_u32, STRUCT << 24 | 2, 8, 6, 9, 0, 8, 9, 32, 12, FUNCTION << 24, 9] {
            types.extend(number.to_ne_bytes());
        }
        let mut bytes = 0xeb9f_u16.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        let length = |part: &[u8]| u32::try_from(part.len()).unwrap();
        for number in [24, 0, length(&types), length(&types), length(strings)] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes.extend(types);
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn members_and_functions_are_found() {
        let bytes = sample();
        let btf = Btf::read(&bytes).unwrap();
        assert_eq!(btf.offsets(b"task", [b"pid", b"a"]), Some([4, 0]));
        assert_eq!(btf.offsets(b"task", [b"tgid"]), None);
        assert_eq!((btf.function(b"walk"), btf.function(b"task")), (Some(2), None));
    }

    #[test]
    fn every_truncation_is_survived() {
        let bytes = sample();
        for length in 0..bytes.len() {
            if let Some(btf) = bytes.get(..length).and_then(Btf::read) {
                assert!(btf.function(b"walk").is_none() || btf.offsets(b"task", [b"pid"]).is_some());
            }
        }
    }
}
