//! Attributes of netlink messages: type, length, value, nested at will (netlink(7), `struct nlattr`).

/// Of an attribute's type: its value is attributes (`NLA_F_NESTED`).
const NESTED: u16 = 0x8000;
/// Without the flags for nesting and byte order (`NLA_TYPE_MASK`).
const KIND: u16 = 0x3fff;

/// Attributes that are being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Behind a fixed header, whose length is a multiple of four.
    pub(crate) fn after(header: &[u8]) -> Self {
        Self(header.to_vec())
    }

    /// An attribute of these bytes.
    pub(crate) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        // One that is longer than an attribute can be gets a length that the kernel refuses.
        let length = u16::try_from(value.len().saturating_add(4)).unwrap_or(0);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// A string, closed by a NUL.
    pub(crate) fn text(self, kind: u16, value: &[u8]) -> Self {
        self.bytes(kind, &[value, b"\0"].concat())
    }

    pub(crate) fn u32(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// A number in network byte order, as nf_tables has them.
    pub(crate) fn be32(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Attributes in an attribute.
    pub(crate) fn nest(self, kind: u16, inner: &Self) -> Self {
        self.bytes(kind | NESTED, &inner.0)
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The attributes of a buffer by type. A length that does not fit ends the walk.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let [l0, l1, k0, k1] = *rest.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([k0, k1]) & KIND, value))
    })
}

/// The attributes that follow a fixed header of `header` bytes.
pub(crate) fn attributes_after(body: &[u8], header: usize) -> impl Iterator<Item = (u16, &[u8])> {
    attributes(body.get(header..).unwrap_or_default())
}

/// The first attribute of this type.
pub(crate) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_is_padded() {
        let inner = Attributes::new().be32(1, 0x0102_0304);
        let bytes = Attributes::after(&[9; 4]).text(3, b"lo").nest(4, &inner).u32(5, 7).done();
        let expected: &[u8] =
            b"\x09\x09\x09\x09\x07\0\x03\0lo\0\0\x0c\0\x04\x80\x08\0\x01\0\x01\x02\x03\x04\x08\0\x05\0\x07\0\0\0";
        if cfg!(target_endian = "little") {
            assert_eq!(bytes, expected);
        }
        let found: Vec<_> = attributes_after(&bytes, 4).collect();
        assert_eq!(found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(attribute(found[1].1, 1), Some([1, 2, 3, 4].as_slice()));
        assert_eq!(attributes(b"\x03\0\x01\0").count() + attributes(b"\xff\xff\x01\0").count(), 0);
        assert_eq!(attributes(&Attributes::new().bytes(1, &vec![0; 70_000]).done()).count(), 0);
    }
}
