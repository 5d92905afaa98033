//! Access control lists of files: the values of `system.posix_acl_access` and `system.posix_acl_default`.

use crate::Format;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "posix-acl",
    doc: "The access control list of a file or directory.",
    manual: "acl(5), linux/posix_acl_xattr.h",
    samples: &[
        b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x07\0\xe8\x03\0\0\x04\0\x04\0\xff\xff\xff\xff\x10\0\x07\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff",
        b"\x02\0\0\0\x08\0\x02\0\x1b\0\0\0",
    ],
    feed: |bytes| drop(writers(bytes)),
};

/// Somebody whom a list names beside the file's own owner and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// An account.
    User(u32),
    /// A group.
    Group(u32),
}

/// Who may write besides the file's own owner and group, what the mask forbids left out.
pub fn writers(bytes: &[u8]) -> Vec<Named> {
    const VERSION: [u8; 4] = [2, 0, 0, 0];
    const WRITE: u16 = 2;
    let Some(entries) = bytes.strip_prefix(&VERSION) else { return Vec::new() };
    let mut mask = u16::MAX;
    let mut named = Vec::new();
    for entry in entries.chunks_exact(8) {
        let [tag, tag_high, rights, rights_high, a, b, c, d] = *entry else { continue };
        let rights = u16::from_le_bytes([rights, rights_high]);
        let id = u32::from_le_bytes([a, b, c, d]);
        match u16::from_le_bytes([tag, tag_high]) {
            0x02 => named.push((Named::User(id), rights)),
            0x08 => named.push((Named::Group(id), rights)),
            0x10 => mask = rights,
            _ => {}
        }
    }
    named.into_iter().filter(|(_, rights)| rights & mask & WRITE != 0).map(|(who, _)| who).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0];
        for (tag, rights, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(rights.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn named_writers_are_found_and_the_mask_counts() {
        let user = (2, 6, 1000);
        assert_eq!(writers(&list(&[user, (0x10, 7, u32::MAX)])), [Named::User(1000)]);
        assert_eq!(writers(&list(&[user, (0x10, 4, u32::MAX)])), []);
        assert_eq!(writers(&list(&[(8, 7, 27), (2, 4, 5)])), [Named::Group(27)]);
        assert_eq!(writers(b"\x01\0\0\0"), []);
    }
}
