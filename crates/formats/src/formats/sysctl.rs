//! Kernel settings that are made at boot: sysctl.d(5), binfmt.d(5), and /etc/selinux/config.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "sysctl",
    doc: "Settings and binary formats that the kernel is given at boot.",
    manual: "sysctl.d(5), binfmt.d(5), selinux(8)",
    samples: &[
        b"# c\n; c\nkernel.core_pattern = |/opt/x %p\n-net/ipv4/conf/eth0.1/rp_filter=1\nvm.swappiness 10\nSELINUX=permissive\n",
        b":DOSWin:M::MZ::/usr/bin/wine:\n:ext:E::exe::/tmp/x:OCF\n,a,M,0,\\x7fELF,\\xff,/usr/bin/q,F\n",
    ],
    feed: |bytes| {
        drop(assignments(bytes));
        drop(binary_formats(bytes));
    },
};

/// More are not taken from one file.
const MOST: usize = 10_000;

/// The assignments, names with dots. A name whose first separator is a slash has slashes for dots and dots for slashes.
pub fn assignments(bytes: &[u8]) -> Vec<(u32, Text, Text)> {
    let one = |(line, text): (u32, &[u8])| {
        let (name, value) = lines::cut(text, b'=')?;
        let name = name.strip_prefix(b"-").unwrap_or(name);
        if text.starts_with(b";") || name.is_empty() {
            return None;
        }
        let slashes = name.iter().find(|b| matches!(b, b'/' | b'.')) == Some(&b'/');
        let swap = |b: &u8| match b {
            b'/' if slashes => b'.',
            b'.' if slashes => b'/',
            other => *other,
        };
        Some((line, name.iter().map(swap).collect::<Vec<u8>>().into(), value.into()))
    };
    lines::meaningful(bytes).filter_map(one).take(MOST).collect()
}

/// A binary format that is registered at boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BinaryFormat {
    /// Its name.
    pub name: Text,
    /// The program that runs in place of the matching file.
    pub interpreter: Text,
    /// The first bytes or the ending of matching files, as written.
    pub matching: Text,
    /// Whether it goes by first bytes rather than by the name's ending.
    pub by_magic: bool,
    /// Its flags.
    pub flags: Text,
}

/// The lines `:name:type:offset:magic:mask:interpreter:flags`, whose separator is their first byte.
pub fn binary_formats(bytes: &[u8]) -> Vec<BinaryFormat> {
    let one = |(_, text): (u32, &[u8])| {
        let separator = *text.first()?;
        let fields: Vec<&[u8]> = text.get(1..)?.split(|b| *b == separator).collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        let interpreter: Text = field(5).into();
        (!interpreter.is_empty()).then(|| BinaryFormat {
            name: field(0).into(),
            interpreter,
            matching: field(3).into(),
            by_magic: field(1) == b"M",
            flags: field(6).into(),
        })
    };
    lines::meaningful(bytes).filter(|(_, text)| !text.starts_with(b";")).filter_map(one).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_formats() {
        let all = assignments(FORMAT.samples[0]);
        assert_eq!(all[0], (3, "kernel.core_pattern".into(), "|/opt/x %p".into()));
        assert_eq!(all[1].1, "net.ipv4.conf.eth0/1.rp_filter");
        assert_eq!((all.len(), all[2].1.clone()), (3, "SELINUX".into()));
        let formats = binary_formats(FORMAT.samples[1]);
        assert_eq!(formats[0].interpreter, "/usr/bin/wine");
        assert!(!formats[1].by_magic && formats[1].flags == "OCF" && formats[1].matching == "exe");
        assert_eq!((formats.len(), formats[2].name.clone()), (3, "a".into()));
    }
}
