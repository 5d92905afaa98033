//! Variables of the firmware: switches of secure boot, and lists of keys.

use crate::Format;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "efi_variables",
    doc: "Secure boot's switches and lists of keys as the firmware keeps them.",
    manual: "UEFI Specification 2.10, 8.2 and 32.4.1; efivarfs.rst",
    samples: &[
        b"\x06\0\0\0\x01",
        b"\x06\0\0\0\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72\x34\0\0\0\0\0\0\0\x18\0\0\0GUIDGUIDGUIDGUID\x30\x82\x01\x02ABCD",
    ],
    feed: |bytes| {
        switch(bytes);
        drop(entries(bytes));
    },
};

/// The value of a switch: after four bytes of attributes, one byte.
pub fn switch(bytes: &[u8]) -> Option<u8> {
    bytes.get(4).copied()
}

/// The keys and digests of a signature list, without their owners: certificates (X.509) and SHA-256 digests alike.
///
/// `EFI_SIGNATURE_LIST`: type (16 bytes), size of the list, size of its header, size of one entry; each entry begins with
/// its owner (16 bytes).
pub fn entries(bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = bytes.get(4..).unwrap_or_default();
    let number = |bytes: &[u8], at: usize| -> Option<usize> {
        let four = bytes.get(at..at + 4)?;
        usize::try_from(u32::from_le_bytes(four.try_into().ok()?)).ok()
    };
    while let (Some(size), Some(header), Some(one)) = (number(rest, 16), number(rest, 20), number(rest, 24)) {
        let Some(list) = rest.get(..size).filter(|_| size >= 28 && one > 16) else { break };
        let body = header.checked_add(28).and_then(|start| list.get(start..)).unwrap_or_default();
        found.extend(body.chunks_exact(one).filter_map(|entry| entry.get(16..)).take(1000));
        rest = rest.get(size..).unwrap_or_default();
        if found.len() > 1000 {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_and_keys() {
        assert_eq!(switch(FORMAT.samples[0]), Some(1));
        assert_eq!(entries(FORMAT.samples[1]), [b"\x30\x82\x01\x02ABCD"]);
        assert!(entries(b"\x06\0\0\0").is_empty());
    }
}
