//! Changes a few bytes of copied programs, so that they load what an intruder would have them load. They still do only
//! what the packaged program does.

/// `bytes` with every `find` replaced by `put`, filled up with zero bytes; nothing when `find` is not there or too short.
pub(super) fn replaced(bytes: &[u8], find: &[u8], put: &[u8]) -> Option<Vec<u8>> {
    let mut out = bytes.to_vec();
    let mut put = put.to_vec();
    (put.len() <= find.len()).then_some(())?;
    put.resize(find.len(), 0);
    let places: Vec<usize> =
        out.windows(find.len()).enumerate().filter(|(_, w)| *w == find).map(|(at, _)| at).collect();
    places.iter().for_each(|at| out[*at..*at + find.len()].copy_from_slice(&put));
    (!places.is_empty()).then_some(out)
}

const DT_STRTAB: u64 = 5;
const DT_RUNPATH: u64 = 29;
const DT_AUDIT: u64 = 0x6fff_fefc;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;

/// A 64-bit little-endian program whose `DT_RUNPATH` became `DT_AUDIT` with this library (elf(5), rtld-audit(7)).
pub(super) fn audited(mut bytes: Vec<u8>, library: &str) -> Option<Vec<u8>> {
    let headers = number(&bytes, 32, 8)? as usize;
    let count = number(&bytes, 56, 2)? as usize;
    let segments: Vec<_> = (0..count)
        .filter_map(|at| {
            let at = headers + at * 56;
            let kind = number(&bytes, at, 4)? as u32;
            Some((kind, number(&bytes, at + 8, 8)?, number(&bytes, at + 16, 8)?, number(&bytes, at + 32, 8)?))
        })
        .collect();
    let (_, dynamic, _, size) = *segments.iter().find(|segment| segment.0 == PT_DYNAMIC)?;
    let entries: Vec<usize> = (0..size as usize / 16).map(|n| dynamic as usize + n * 16).collect();
    let entry = |tag: u64| entries.iter().copied().find(|at| number(&bytes, *at, 8) == Some(tag));
    let (table, path) = (entry(DT_STRTAB)?, entry(DT_RUNPATH)?);
    let (table, offset) = (number(&bytes, table + 8, 8)?, number(&bytes, path + 8, 8)?);
    let (_, start, address, _) =
        *segments.iter().find(|s| s.0 == PT_LOAD && s.2 <= table && table < s.2 + s.3)?;
    let at = (start + (table - address) + offset) as usize;
    let room = bytes[at..].iter().position(|byte| *byte == 0)?;
    (library.len() <= room).then_some(())?;
    bytes[at..at + room].fill(0);
    bytes[at..at + library.len()].copy_from_slice(library.as_bytes());
    bytes[path..path + 8].copy_from_slice(&DT_AUDIT.to_le_bytes());
    Some(bytes)
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let mut value = [0; 8];
    value[..size].copy_from_slice(bytes.get(at..at + size)?);
    Some(u64::from_le_bytes(value))
}
