//! Names of the operating system: os-release(5), and other files of shell assignments.

use crate::{Format, lines};
use std::collections::BTreeMap;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "os_release",
    doc: "Identification of the operating system, and other files of NAME=value lines.",
    manual: "os-release(5)",
    samples: &[
        b"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n# c\nX='a b'\nY=\"q\\\"z\"\n",
        b"UID=0\nUSER=root\nLEADER=812\nREMOTE_HOST=192.0.2.7\nTTY=pts/0\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// The assignments; the last one of a name counts, as in a shell.
pub fn parse(bytes: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    lines::meaningful(bytes)
        .filter_map(|(_, line)| lines::cut(line, b'='))
        .map(|(name, value)| (name.to_vec(), unquote(value)))
        .collect()
}

/// Takes quotes and backslashes away as the shell does for a single word.
fn unquote(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let (mut quote, mut escaped) = (None, false);
    for byte in value {
        if escaped {
            out.push(*byte);
            escaped = false;
        } else if *byte == b'\\' && quote != Some(b'\'') {
            escaped = true;
        } else if matches!(byte, b'"' | b'\'') && quote.is_none_or(|open| open == *byte) {
            quote = if quote.is_none() { Some(*byte) } else { None };
        } else {
            out.push(*byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_taken_away() {
        let values = parse(FORMAT.samples[0]);
        let value = |name: &[u8]| values.get(name).map(Vec::as_slice);
        assert_eq!(value(b"PRETTY_NAME"), Some(&b"Debian GNU/Linux 12 (bookworm)"[..]));
        assert_eq!(value(b"X"), Some(&b"a b"[..]));
        assert_eq!(value(b"Y"), Some(&b"q\"z"[..]));
    }
}
