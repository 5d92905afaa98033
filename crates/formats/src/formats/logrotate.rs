//! Commands of logrotate: scripts around a rotation, and the programs that compress.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "logrotate",
    doc: "Scripts and programs that logrotate runs.",
    manual: "logrotate(8)",
    samples: &[
        b"weekly\ninclude /etc/logrotate.d\n/var/log/a /var/log/b {\n  daily\n  compresscmd /bin/xz\n  postrotate\n\tinvoke-rc.d a reload # x\n  endscript\n}\n",
        b"/x{\nprerotate\na\nb\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// More are not taken from one file.
const MOST: usize = 10_000;

/// One thing that logrotate runs or reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its first line, from 1.
    pub line: u32,
    /// The word that begins it: `postrotate`, `compresscmd`, `include`.
    pub name: Text,
    /// The script's text, the program, or the file or directory.
    pub value: Text,
}

/// The scripts, programs and includes of one file.
pub fn parse(bytes: &[u8]) -> Vec<Item> {
    const SCRIPTS: [&[u8]; 6] =
        [b"prerotate", b"postrotate", b"firstaction", b"lastaction", b"preremove", b"preunlink"];
    let mut items = Vec::new();
    let mut script: Option<(u32, &[u8], Vec<u8>)> = None;
    for (number, line) in lines::numbered(bytes) {
        let text = line.trim_ascii();
        let mut words = lines::words(text);
        let first = words.next().unwrap_or_default();
        if let Some((_, _, body)) = &mut script {
            if first != b"endscript" {
                body.extend_from_slice(line);
                body.push(b'\n');
                continue;
            }
            items.extend(script.take().map(item));
        } else if let Some(name) = SCRIPTS.iter().find(|name| first == **name) {
            script = Some((number + 1, name, Vec::new()));
        } else if matches!(first, b"compresscmd" | b"uncompresscmd" | b"include") {
            let value = text.get(first.len()..).unwrap_or_default().trim_ascii();
            items.push(Item { line: number, name: first.into(), value: value.into() });
        }
        if items.len() >= MOST {
            break;
        }
    }
    items.extend(script.map(item));
    items
}

fn item((line, name, value): (u32, &[u8], Vec<u8>)) -> Item {
    Item { line, name: name.into(), value: value.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_programs_and_includes() {
        let items = parse(FORMAT.samples[0]);
        let shown: Vec<String> =
            items.iter().map(|item| format!("{} {} {}", item.line, item.name, item.value)).collect();
        assert_eq!(shown.len(), 3, "{shown:?}");
        assert_eq!(shown[0], "2 include /etc/logrotate.d");
        assert_eq!(shown[1], "5 compresscmd /bin/xz");
        assert!(shown[2].starts_with("7 postrotate") && shown[2].contains("invoke-rc.d a reload"));
        assert!(parse(FORMAT.samples[1])[0].value.as_bytes().starts_with(b"a\nb\n"));
    }
}
