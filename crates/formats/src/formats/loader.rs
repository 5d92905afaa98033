//! Settings of the dynamic loader: /etc/ld.so.preload, ld.so.conf.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "loader",
    doc: "Libraries that are loaded into every program, and where libraries are looked for.",
    manual: "ld.so(8), ldconfig(8)",
    samples: &[
        b"/lib/a.so /lib/$LIB/b.so:c.so # d\n",
        b"include /etc/ld.so.conf.d/*.conf\n/usr/local/lib\nhwcap 1 x\n",
    ],
    feed: |bytes| {
        drop(preload(bytes));
        drop(directories(bytes));
    },
};

/// The libraries of ld.so.preload: separated by blanks, line ends or colons; `#` begins a comment.
pub fn preload(bytes: &[u8]) -> Vec<(u32, Text)> {
    let mut all = Vec::new();
    for (number, line) in lines::numbered(bytes) {
        let text = line.split(|b| *b == b'#').next().unwrap_or_default();
        let separator = |b: &u8| matches!(b, b' ' | b'\t' | b':' | b'\r' | 0);
        all.extend(text.split(separator).filter(|word| !word.is_empty()).map(|word| (number, word.into())));
    }
    all
}

/// The directories and includes (`true`) of ld.so.conf.
pub fn directories(bytes: &[u8]) -> Vec<(u32, Text, bool)> {
    let mut all = Vec::new();
    for (number, line) in lines::meaningful(bytes) {
        let line = line.split(|b| *b == b'#').next().unwrap_or_default().trim_ascii();
        if let Some(patterns) =
            line.strip_prefix(b"include").filter(|rest| rest.starts_with(b" ") || rest.starts_with(b"\t"))
        {
            all.extend(lines::words(patterns).map(|pattern| (number, pattern.into(), true)));
        } else if !line.starts_with(b"hwcap") {
            let separator = |b: &u8| matches!(b, b' ' | b'\t' | b':' | b',');
            for word in line.split(separator).filter(|word| word.starts_with(b"/")) {
                let word = word.split(|b| *b == b'=').next().unwrap_or_default();
                all.push((number, word.into(), false));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split() {
        assert_eq!(preload(FORMAT.samples[0]).len(), 3);
        let all = directories(FORMAT.samples[1]);
        assert_eq!(all.len(), 2);
        assert!(all[0].2 && all[1].1 == "/usr/local/lib");
    }
}
