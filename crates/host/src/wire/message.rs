//! Control messages of a received message (cmsg(3)), in the kernel's layout.

/// Length of `struct cmsghdr`: a `size_t` and two `int`s.
const HEADER: usize = size_of::<usize>() + 8;

/// The control messages: level, type, bytes. A length that does not fit ends the walk.
pub(super) fn parts(control: &[u8]) -> impl Iterator<Item = (i32, i32, &[u8])> {
    let mut rest = control;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<{ size_of::<usize>() }>()?;
        let length = usize::from_ne_bytes(*length);
        let (level, after) = after.split_first_chunk::<4>()?;
        let (kind, _) = after.split_first_chunk::<4>()?;
        let value = rest.get(HEADER..length)?;
        rest = rest.get(length.next_multiple_of(size_of::<usize>())..).unwrap_or_default();
        Some((i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind), value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_walked_and_a_lying_length_ends_the_walk() {
        let mut control = (HEADER + 3).to_ne_bytes().to_vec();
        control.extend([1, 0, 0, 0, 35, 0, 0, 0, b'a', b'b', b'c']);
        let first = control.clone();
        control.resize(control.len().next_multiple_of(size_of::<usize>()), 0);
        control.extend(&first);
        let found: Vec<_> = parts(&control).collect();
        assert_eq!(found, [(1, 35, b"abc".as_slice()), (1, 35, b"abc".as_slice())]);
        for lie in [0_usize, HEADER - 1, usize::MAX] {
            control.splice(..size_of::<usize>(), lie.to_ne_bytes());
            assert_eq!(parts(&control).count(), 0, "{lie}");
        }
    }
}
