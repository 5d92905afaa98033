//! Files and accounts that the service manager makes by itself: tmpfiles.d(5), sysusers.d(5).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "tmpfiles",
    doc: "Lines of tmpfiles.d and sysusers.d.",
    manual: "tmpfiles.d(5), sysusers.d(5)",
    samples: &[
        b"# c\nd /run/x 0755 root root 10d -\nf+ /etc/cron.d/a 0644 - - - * * * * * root /x\\n\nL+ \"/a b\" - - - - ../c\nz /x :04755\n",
        b"u httpd 404 \"HTTP User\" /srv /usr/sbin/nologin\nu! r 0 - / /bin/sh\nm a sudo\ng wheel 10\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// More are not taken from one file.
const MOST: usize = 20_000;

/// One line: its words, quotes taken off, the last one up to the line's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Line number, from 1.
    pub line: u32,
    /// The words that stand alone; `-` as an empty word.
    pub words: Vec<Text>,
    /// What follows the sixth word, C escapes resolved (`argument` of tmpfiles.d).
    pub rest: Text,
}

impl Line {
    /// The word at this place, empty if there is none.
    pub fn word(&self, at: usize) -> Text {
        self.words.get(at).cloned().unwrap_or_default()
    }
}

/// The lines of one file.
pub fn parse(bytes: &[u8]) -> Vec<Line> {
    lines::meaningful(bytes).map(|(line, text)| one(line, text)).take(MOST).collect()
}

fn one(line: u32, text: &[u8]) -> Line {
    let (mut words, mut rest) = (Vec::new(), text);
    while words.len() < 6 && !rest.is_empty() {
        let (word, after) = word(rest);
        words.push(if word == b"-" { Text::default() } else { word.into() });
        rest = after.trim_ascii_start();
    }
    Line { line, words, rest: unescaped(rest).into() }
}

/// The next word and what follows it.
fn word(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut word, mut quote, mut at) = (Vec::new(), None, 0);
    while let Some(byte) = text.get(at) {
        at += 1;
        match (quote, byte) {
            (Some(open), byte) if open == *byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(*byte),
            (None, byte) if byte.is_ascii_whitespace() => break,
            (_, byte) => word.push(*byte),
        }
    }
    (word, text.get(at..).unwrap_or_default())
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let (mut plain, mut bytes) = (Vec::with_capacity(text.len()), text.iter().copied());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => plain.push(b'\n'),
                Some(b't') => plain.push(b'\t'),
                Some(b'x') => {
                    let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                    let value = std::str::from_utf8(&digits)
                        .ok()
                        .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                    plain.extend(value);
                }
                Some(other) => plain.push(other),
                None => {}
            },
            _ => plain.push(byte),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split() {
        let all = parse(FORMAT.samples[0]);
        assert_eq!(all[0].word(1), "/run/x");
        assert_eq!((all[1].line, all[1].rest.as_bytes()), (3, &b"* * * * * root /x\n"[..]));
        assert_eq!((all[2].word(1), all[2].rest.clone()), ("/a b".into(), "../c".into()));
        assert_eq!((all[3].word(2), all[3].word(9)), (":04755".into(), Text::default()));
        let users = parse(FORMAT.samples[1]);
        assert_eq!((users[0].word(3), users[0].word(5)), ("HTTP User".into(), "/usr/sbin/nologin".into()));
        assert_eq!((users[1].word(0), users[1].word(3)), ("u!".into(), Text::default()));
    }
}
