//! Certificates: whose they are (X.509 in DER or PEM).

use crate::Format;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "certificate",
    doc: "Subject and issuer of certificates.",
    manual: "RFC 5280, RFC 7468, ITU-T X.690",
    samples: &[
        b"\x30\x43\x30\x41\xa0\x03\x02\x01\x02\x02\x01\x01\x30\x03\x06\x01\x2a\x30\x10\x31\x0e\x30\x0c\x06\x03\x55\x04\x03\x0c\x05\x49\x73\x73\x75\x65\x30\x00\x30\x1e\x31\x0e\x30\x0c\x06\x03\x55\x04\x0a\x0c\x05\x4f\x72\x67\x61\x6e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03\x43\x4e\x78",
        b"x\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n-----BEGIN TRUSTED CERTIFICATE-----\nMAA=\n",
    ],
    feed: |bytes| {
        drop(parse(bytes));
        for der in all(bytes) {
            drop(parse(&der));
        }
    },
};

/// No more certificates than this are taken from one file.
const MOST: usize = 4096;

/// Whose a certificate is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Organisation of the subject.
    pub organisation: Text,
    /// Common name of the subject, or its unit where it has none.
    pub name: Text,
    /// Whether the issuer's name is the subject's: a root.
    pub own: bool,
}

/// The certificates of a file in their binary form: the blocks of a PEM file, or the file itself.
pub fn all(bytes: &[u8]) -> Vec<Vec<u8>> {
    if bytes.starts_with(b"\x30") && !bytes.starts_with(b"0\n") {
        return vec![bytes.to_vec()];
    }
    let mut found = Vec::new();
    let mut body: Option<Vec<u8>> = None;
    for line in bytes.split(|b| *b == b'\n').map(<[u8]>::trim_ascii) {
        if line.starts_with(b"-----BEGIN ") {
            body = line.ends_with(b"CERTIFICATE-----").then(Vec::new);
        } else if line.starts_with(b"-----END ") {
            let der = body.take().and_then(|text| STANDARD.decode(text).ok());
            found.extend(der.filter(|der| !der.is_empty()));
            if found.len() >= MOST {
                break;
            }
        } else if let Some(text) = body.as_mut().filter(|text| text.len() < 64 << 10) {
            text.extend_from_slice(line);
        }
    }
    found
}

/// Tag, content, and what follows, of one value.
fn value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(count)?;
        (digits.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// Whose a certificate in its binary form is.
pub fn parse(der: &[u8]) -> Option<Certificate> {
    let (_, outer, _) = value(der)?;
    let (_, mut rest, _) = value(outer)?;
    if rest.first() == Some(&0xa0) {
        rest = value(rest)?.2;
    }
    // Serial number, algorithm.
    rest = value(value(rest)?.2)?.2;
    let (_, issuer, rest) = value(rest)?;
    let (_, _validity, rest) = value(rest)?;
    let (_, subject, _) = value(rest)?;
    let named = |kind: u8| attribute(subject, kind);
    let name = named(3).or_else(|| named(11)).unwrap_or_default();
    Some(Certificate { organisation: named(10).unwrap_or_default(), name, own: issuer == subject })
}

/// The first attribute 2.5.4.`kind` of a name.
fn attribute(name: &[u8], kind: u8) -> Option<Text> {
    let mut rest = name;
    while let Some((_, set, after)) = value(rest) {
        let (_, pair, _) = value(set)?;
        let (_, id, behind) = value(pair)?;
        if id == [0x55, 4, kind] {
            return value(behind).map(|(_, text, _)| text.into());
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let found = parse(FORMAT.samples[0]).unwrap();
        assert_eq!((found.organisation, found.name, found.own), ("Organ".into(), "CNx".into(), false));
        assert_eq!(all(FORMAT.samples[1]), [b"0\x00".to_vec()]);
    }
}
