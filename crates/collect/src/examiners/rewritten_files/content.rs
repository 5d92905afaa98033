//! What a file's ending promises, and whether its first bytes keep it.

/// What a file's ending promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Text of any kind.
    Text,
    /// A file that begins with one of these.
    Magic(&'static [&'static [u8]]),
    /// Content that nothing is known of.
    Any,
}

const ZIP: &[&[u8]] = &[b"PK\x03\x04", b"PK\x05\x06"];
const OLE: &[&[u8]] = &[b"\xd0\xcf\x11\xe0"];

impl Content {
    /// Of an ending; `None` for endings that are not known.
    pub(super) fn of_ending(ending: &[u8]) -> Option<Self> {
        let lower = ending.to_ascii_lowercase();
        Some(match lower.as_slice() {
            b"txt" | b"csv" | b"sql" | b"html" | b"htm" | b"xml" | b"json" | b"conf" | b"cfg" | b"ini"
            | b"log" | b"md" | b"php" | b"py" | b"js" | b"css" | b"c" | b"h" | b"java" | b"sh" | b"yml"
            | b"yaml" | b"tex" | b"pl" | b"rb" | b"go" | b"rs" | b"ts" | b"vue" | b"eml" | b"ics"
            | b"vcf" | b"toml" | b"env" | b"properties" | b"cnf" => Self::Text,
            b"docx" | b"xlsx" | b"pptx" | b"odt" | b"ods" | b"odp" | b"odg" | b"zip" | b"jar" | b"war"
            | b"epub" => Self::Magic(ZIP),
            b"doc" | b"xls" | b"ppt" | b"msg" => Self::Magic(OLE),
            b"pdf" => Self::Magic(&[b"%PDF"]),
            b"jpg" | b"jpeg" => Self::Magic(&[b"\xff\xd8\xff"]),
            b"png" => Self::Magic(&[b"\x89PNG"]),
            b"gif" => Self::Magic(&[b"GIF8"]),
            b"gz" | b"tgz" => Self::Magic(&[b"\x1f\x8b"]),
            b"bz2" => Self::Magic(&[b"BZh"]),
            b"xz" => Self::Magic(&[b"\xfd7zXZ"]),
            b"7z" => Self::Magic(&[b"7z\xbc\xaf"]),
            b"sqlite" | b"sqlite3" => Self::Magic(&[b"SQLite format 3\0"]),
            b"rtf" => Self::Magic(&[b"{\\rtf"]),
            b"db" | b"mdb" | b"accdb" | b"dbf" | b"frm" | b"ibd" | b"myd" | b"myi" | b"mp3" | b"mp4"
            | b"mov" | b"avi" | b"tif" | b"tiff" | b"psd" | b"dwg" | b"bak" | b"tar" | b"pst" | b"vmdk"
            | b"vdi" | b"qcow2" | b"raw" | b"img" | b"iso" | b"pem" | b"key" | b"crt" | b"kdbx" | b"dat"
            | b"webp" | b"svg" | b"pgdump" | b"dump" => Self::Any,
            _ => return None,
        })
    }

    /// Whether the first bytes are what is promised.
    pub(super) fn fits(self, head: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Magic(beginnings) => {
                beginnings.iter().any(|beginning| head.starts_with(beginning))
                    // A picture that is text, an archive that is empty: wrong, but nobody encrypted it.
                    || !is_random(head)
            }
            Self::Text => !is_random(head),
        }
    }
}

/// The name before its last dot, and the ending behind it.
pub(super) fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = name.iter().rposition(|b| *b == b'.').filter(|at| *at > 0)?;
    Some((name.get(..at)?, name.get(at + 1..).filter(|ending| !ending.is_empty())?))
}

/// Whether a name without its last ending still has a known one, perhaps with marks of its own behind it.
pub(super) fn was_known(stem: &[u8]) -> bool {
    let mut parts = stem.split(|b| *b == b'.');
    let first = parts.next();
    first.is_some() && parts.take(6).any(|part| Content::of_ending(part).is_some())
}

/// Whether an unknown ending behind a known one may be a new name for the content: not the marks of editors, package
/// managers, compressors, signatures, and languages.
pub(super) fn may_be_new(ending: &[u8]) -> bool {
    const USUAL: &[&str] = &[
        "gz",
        "bz2",
        "xz",
        "zst",
        "lz4",
        "lzma",
        "z",
        "br",
        "lz",
        "old",
        "orig",
        "rej",
        "save",
        "swp",
        "swo",
        "tmp",
        "temp",
        "part",
        "new",
        "dist",
        "default",
        "sample",
        "example",
        "template",
        "tmpl",
        "tpl",
        "j2",
        "in",
        "am",
        "disabled",
        "dpkg-dist",
        "dpkg-old",
        "dpkg-new",
        "dpkg-bak",
        "ucf-dist",
        "ucf-old",
        "rpmnew",
        "rpmsave",
        "pacnew",
        "md5",
        "sha1",
        "sha256",
        "sha512",
        "sums",
        "sig",
        "sign",
        "asc",
        "minisig",
        "map",
        "d",
        "lock",
        "pyc",
        "pyo",
        "mo",
        "po",
        "pot",
        "erb",
        "ejs",
        "hbs",
        "twig",
        "mustache",
        "scss",
        "sass",
        "less",
        "tsx",
        "jsx",
        "cjs",
        "mjs",
        "cts",
        "mts",
        "flow",
        "snap",
        "snapshot",
        "bc",
        "o",
        "lo",
        "a",
        "so",
        "gch",
        "tar",
        "torrent",
        "aria2",
        "crdownload",
        "lnk",
        "url",
        "license",
        "licence",
        "copyright",
        "notice",
        "readme",
        "index",
        "meta",
        "info",
        "idx",
        "desc",
        "inc",
        "dtd",
        "xsd",
        "xsl",
        "xslt",
        "rst",
        "adoc",
        "pub",
        "csr",
        "chain",
        "fullchain",
        "bck",
        "backup",
        "copy",
        "prev",
        "last",
        "bkp",
        "test",
        "spec",
        "stamp",
        "done",
    ];
    let lower = ending.to_ascii_lowercase();
    let number = ending.iter().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'_' | b':'));
    let stamped = ending.first().is_some_and(u8::is_ascii_digit) && ending.len() >= 6 && number;
    !USUAL.iter().any(|usual| usual.as_bytes() == lower)
        && !number
        && !stamped
        && !ending.ends_with(b"~")
        && ending.len() <= 64
}

/// Whether bytes look random: encrypted, or compressed without a mark. Shannon's entropy of the first of them.
pub(super) fn is_random(head: &[u8]) -> bool {
    if head.len() < 512 {
        return false;
    }
    let mut counts = [0_u32; 256];
    for byte in head {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let length = head.len() as f64;
    let entropy: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / length;
            -share * share.log2()
        })
        .sum();
    // Random bytes of this length fall short of eight bits, the more so the fewer they are.
    let expected = 8.0 - 255.0 / (2.0 * std::f64::consts::LN_2 * length);
    entropy > expected - 0.15
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .take(length)
        .collect()
    }

    #[test]
    fn random_bytes_are_told_from_text_and_pictures() {
        for length in [512, 1024, 4096] {
            assert!(is_random(&noise(length)), "{length}");
        }
        assert!(!is_random("word after word, as people write ".repeat(200).as_bytes()));
        let base64: Vec<u8> = noise(4096).iter().map(|b| b'A' + b % 58).collect();
        assert!(!is_random(&base64));
        assert!(Content::of_ending(b"PNG").unwrap().fits(&[b"\x89PNG".as_slice(), &noise(4000)].concat()));
        assert!(!Content::of_ending(b"docx").unwrap().fits(&noise(4096)));
        assert!(!Content::of_ending(b"php").unwrap().fits(&noise(4096)));
    }

    #[test]
    fn endings_are_told_apart() {
        assert_eq!(split(b"a.docx.locked"), Some((&b"a.docx"[..], &b"locked"[..])));
        assert_eq!(split(b".bashrc"), None);
        assert!(may_be_new(b"locked") && may_be_new(b"x7f3"));
        for usual in ["gz", "1", "20240101", "dpkg-dist", "2024-01-01", "orig", "md~"] {
            assert!(!may_be_new(usual.as_bytes()), "{usual}");
        }
    }
}
