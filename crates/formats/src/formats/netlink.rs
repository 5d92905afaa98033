//! Netlink messages and their attributes: netlink(7).

use crate::Format;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "netlink",
    doc: "Messages of the kernel's netlink sockets, and the attributes in them.",
    manual: "netlink(7), <linux/netlink.h>",
    samples: &[b"\x20\0\0\0\x10\0\0\0\x01\0\0\0\0\0\0\0\x07\0\x03\0lo\0\0\x08\0\x04\x80\x04\0\x01\0"],
    feed: |bytes| {
        for message in messages(bytes) {
            attributes(message.body).for_each(|(_, value)| _ = attributes(value).count());
        }
    },
};

/// One message without its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Message type.
    pub kind: u16,
    /// What follows the header (`struct nlmsghdr`).
    pub body: &'a [u8],
}

/// The messages of a buffer. A length that does not fit ends the walk.
pub fn messages(bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(rest, 0)?).ok()?;
        let message = Message { kind: u16_at(rest, 4)?, body: rest.get(16..length)? };
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes of a buffer by type, without the flags for nesting and byte order. A length that does not fit ends the walk.
pub fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let attribute = (u16_at(rest, 2)? & 0x3fff, rest.get(4..length)?);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(attribute)
    })
}

/// The attributes that follow a fixed header of `header` bytes.
pub fn attributes_after(body: &[u8], header: usize) -> impl Iterator<Item = (u16, &[u8])> {
    attributes(body.get(header..).unwrap_or_default())
}

/// The first attribute of this type.
pub fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// A string attribute without its closing NUL.
pub fn string(value: &[u8]) -> &[u8] {
    value.split(|b| *b == 0).next().unwrap_or_default()
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// The 16-bit number at an offset, in the machine's byte order.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_ne_bytes)
}

/// The 32-bit number at an offset, in the machine's byte order.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_ne_bytes)
}

/// The 16-bit number at an offset, in network byte order.
pub fn be16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

/// The 32-bit number at an offset, in network byte order.
pub fn be32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

/// The 64-bit number at an offset, in network byte order.
pub fn be64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_be_bytes)
}

/// An IP address of four or sixteen bytes at the start of `bytes`, by its family (2 or 10).
pub fn address(bytes: &[u8], family: u8) -> Option<std::net::IpAddr> {
    match family {
        2 => array::<4>(bytes, 0).map(Into::into),
        10 => array::<16>(bytes, 0).map(Into::into),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_walked_without_their_flags_and_bad_lengths_end_the_walk() {
        let found: Vec<_> = messages(FORMAT.samples[0]).collect();
        assert_eq!((found.len(), found[0].kind), (1, 16));
        let found: Vec<_> = attributes(found[0].body).collect();
        assert_eq!(found[0], (3, b"lo\0".as_slice()));
        assert_eq!(found[1].0, 4);
        assert_eq!(attributes(b"\x03\0\x01\0").count(), 0);
        assert_eq!(attributes(b"\xff\xff\x01\0").count(), 0);
    }
}
