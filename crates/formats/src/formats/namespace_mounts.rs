//! Namespaces that are kept by a mount: /proc/PID/mountinfo, proc(5).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "namespace_mounts",
    doc: "Bind mounts of namespace files, as under /run/netns.",
    manual: "proc(5), namespaces(7)",
    samples: &[b"36 35 0:4 net:[4026532281] /run/netns/a\\040b rw shared:7 - nsfs nsfs rw\n25 1 8:1 / / rw - ext4 /dev/sda1 rw\n"],
    feed: |bytes| drop(network(bytes)),
};

/// Network namespaces: inode number and mount point.
pub fn network(text: &[u8]) -> Vec<(u64, Text)> {
    let line = |line: &[u8]| {
        let mut words = lines::words(line).skip(3);
        let root = words.next()?.strip_prefix(b"net:[")?.strip_suffix(b"]")?;
        Some((lines::decimal(root)?, unescape(words.next()?).into()))
    };
    lines::numbered(text).filter_map(|(_, text)| line(text)).collect()
}

/// Spaces, tabs, line ends and backslashes are written as three octal digits.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        let octal = (*first == b'\\')
            .then(|| after.get(..3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        plain.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_network_namespaces_are_taken_and_their_place_is_read() {
        assert_eq!(network(FORMAT.samples[0]), [(4_026_532_281, Text::from("/run/netns/a b"))]);
    }
}
